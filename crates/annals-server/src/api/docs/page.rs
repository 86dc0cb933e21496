//! Renders the OpenAPI description as one page without scripts.

use std::fmt::Write as _;

use serde_json::Value;

/// The page of a description.
pub(crate) fn render(api: &Value) -> String {
    let mut out = String::with_capacity(64 * 1024);
    out.push_str(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>Annals API</title>\
         <link rel=\"stylesheet\" href=\"/docs/style.css\"></head><body><main><h1>Annals API</h1>",
    );
    let about = api
        .pointer("/info/description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let _ = write!(
        out,
        "<p>{}</p><p class=\"quiet\">The same for programs: <a href=\"/openapi.json\">openapi.json</a></p>",
        prose(about)
    );
    let operations = operations(api);
    contents(&mut out, api, &operations);
    for tag in tags(api) {
        let _ = write!(out, "<h2>{}</h2><p>{}</p>", escape(tag.0), prose(tag.1));
        for operation in operations.iter().filter(|o| o.tag == tag.0) {
            render_operation(&mut out, operation);
        }
    }
    out.push_str("<h2>Objects</h2>");
    if let Some(schemas) = api
        .pointer("/components/schemas")
        .and_then(Value::as_object)
    {
        for (name, schema) in schemas {
            render_schema(&mut out, name, schema);
        }
    }
    out.push_str("</main></body></html>");
    out
}

struct Operation<'a> {
    tag: &'a str,
    method: &'a str,
    path: &'a str,
    body: &'a Value,
}

impl Operation<'_> {
    fn anchor(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        format!(
            "{}{}",
            self.method,
            self.path.chars().map(plain).collect::<String>()
        )
    }

    fn text(&self, member: &str) -> &str {
        self.body
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

fn tags(api: &Value) -> Vec<(&str, &str)> {
    let tags = api.get("tags").and_then(Value::as_array);
    let text = |tag: &'_ Value, member: &str| tag.get(member).and_then(Value::as_str).map(str::len);
    tags.into_iter()
        .flatten()
        .filter(|tag| text(tag, "name").is_some())
        .map(|tag| {
            let member = |name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default();
            (member("name"), member("description"))
        })
        .collect()
}

fn operations(api: &Value) -> Vec<Operation<'_>> {
    let mut found = Vec::new();
    let paths = api.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        for method in ["get", "post", "put", "delete"] {
            if let Some(body) = item.get(method) {
                let tag = body
                    .pointer("/tags/0")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                found.push(Operation {
                    tag,
                    method,
                    path,
                    body,
                });
            }
        }
    }
    found
}

fn contents(out: &mut String, api: &Value, operations: &[Operation<'_>]) {
    out.push_str("<nav><ul>");
    for tag in tags(api) {
        for operation in operations.iter().filter(|o| o.tag == tag.0) {
            let _ = write!(
                out,
                "<li><a href=\"#{}\">{}</a></li>",
                operation.anchor(),
                prose(operation.text("summary"))
            );
        }
    }
    out.push_str("</ul></nav>");
}

fn render_operation(out: &mut String, operation: &Operation<'_>) {
    let _ = write!(
        out,
        "<section id=\"{}\"><h3><span class=\"method\">{}</span> <code>{}</code></h3><div><p><strong>{}</strong></p>",
        operation.anchor(),
        operation.method.to_uppercase(),
        escape(operation.path),
        prose(operation.text("summary")),
    );
    if !operation.text("description").is_empty() {
        let _ = write!(out, "<p>{}</p>", prose(operation.text("description")));
    }
    let parameters = operation.body.get("parameters").and_then(Value::as_array);
    if let Some(parameters) = parameters.filter(|p| !p.is_empty()) {
        out.push_str("<table><tr><th>Parameter</th><th>In</th><th></th></tr>");
        for parameter in parameters {
            let text = |member: &str| {
                parameter
                    .get(member)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let needed = parameter
                .get("required")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            let star = if needed {
                " <small>required</small>"
            } else {
                ""
            };
            let _ = write!(
                out,
                "<tr><td><code>{}</code>{star}</td><td>{}</td><td>{}</td></tr>",
                escape(text("name")),
                escape(text("in")),
                prose(text("description")),
            );
        }
        out.push_str("</table>");
    }
    if let Some(content) = operation
        .body
        .pointer("/requestBody/content")
        .and_then(Value::as_object)
    {
        let kinds: Vec<String> = content
            .iter()
            .map(|(kind, c)| format!("<code>{}</code> {}", escape(kind), link(c)))
            .collect();
        let _ = write!(out, "<p>Body: {}</p>", kinds.join(", "));
    }
    if let Some(responses) = operation.body.get("responses").and_then(Value::as_object) {
        out.push_str("<table><tr><th>Status</th><th></th><th>Body</th></tr>");
        for (status, response) in responses {
            let description = response
                .get("description")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let content = response.get("content").and_then(Value::as_object);
            let body: Vec<String> = content
                .into_iter()
                .flatten()
                .map(|(_, c)| link(c))
                .collect();
            let _ = write!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(status),
                prose(description),
                body.join(", ")
            );
        }
        out.push_str("</table>");
    }
    out.push_str("</div></section>");
}

fn render_schema(out: &mut String, name: &str, schema: &Value) {
    let _ = write!(
        out,
        "<section id=\"object-{0}\"><h3><code>{0}</code></h3><div>",
        escape(name)
    );
    let description = schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let _ = write!(out, "<p>{}</p>", prose(description));
    let mut parts = vec![schema];
    for word in ["allOf", "oneOf"] {
        parts.extend(
            schema
                .get(word)
                .and_then(Value::as_array)
                .into_iter()
                .flatten(),
        );
    }
    out.push_str("<table>");
    for part in parts {
        if part.get("$ref").is_some() {
            let _ = write!(out, "<tr><td>and</td><td>{}</td><td></td></tr>", kind(part));
        }
        for (member, value) in part
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let description = value
                .get("description")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let _ = write!(
                out,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                escape(member),
                kind(value),
                prose(description)
            );
        }
    }
    out.push_str("</table></div></section>");
}

/// The schema of a content, as a link where it has a name.
fn link(content: &Value) -> String {
    content.get("schema").map(kind).unwrap_or_default()
}

fn kind(schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = escape(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#object-{name}\">{name}</a>");
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", kind(items));
    }
    if let Some(parts) = schema.get("oneOf").and_then(Value::as_array) {
        return parts.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(name)) => escape(name),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .map(escape)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => String::new(),
    }
}

/// Text with code between backticks.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (n, part) in text.split('`').enumerate() {
        let part = escape(part);
        if n % 2 == 1 {
            let _ = write!(out, "<code>{part}</code>");
        } else {
            out.push_str(&part);
        }
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
