//! What a record's request was about. A view: the members that it is read from stay in the metadata.

use annals_event::{is_name, limits};
use serde_json::value::RawValue;

use super::record::{Line, Members, text};

/// How the members of a request are called that name a thing.
const ENDS: [&str; 5] = ["Identifier", "Name", "Arn", "ARN", "Id"];
/// Members that end so and name none.
const OTHERS: [&str; 4] = ["requestId", "clientRequestId", "policyName", "versionId"];

/// As a JSON array, in the order in which they stand; the resources that AWS names, else what the parameters of the
/// request name.
pub(super) fn targets(record: &Members<'_>, service: &str) -> String {
    let mut found = Targets(Vec::new());
    for resource in elements(record.get("resources")) {
        if let Ok(resource) = Members::read(resource)
            && let Some(arn) = resource.text("ARN").or_else(|| resource.text("arn"))
        {
            let kind = resource.text("type").filter(|kind| is_name(kind));
            let name = arn.rsplit(['/', ':']).next().map(str::to_owned);
            found.push(kind.as_deref().unwrap_or(service), arn, name);
        }
    }
    if found.0.is_empty()
        && let Some(parameters) = record.get("requestParameters")
        && let Ok(parameters) = Members::read(parameters)
    {
        found.named_by(&parameters, service, true);
    }
    format!("[{}]", found.0.join(","))
}

struct Targets(Vec<String>);

impl Targets {
    /// Members such as `bucketName`, and those of the items of a set such as `instancesSet`.
    fn named_by(&mut self, parameters: &Members<'_>, service: &str, may_descend: bool) {
        for (name, value) in parameters.iter() {
            if let Some(id) = text(value)
                && let Some(kind) = kind(name)
            {
                self.push(if kind.is_empty() { service } else { kind }, id, None);
            } else if may_descend
                && name.ends_with("Set")
                && let Ok(set) = Members::read(value)
            {
                for item in elements(set.get("items")) {
                    if let Ok(item) = Members::read(item) {
                        self.named_by(&item, service, false);
                    }
                }
            }
        }
    }

    /// Leaves out what no target can be; it is in the metadata all the same.
    fn push(&mut self, kind: &str, id: String, name: Option<String>) {
        if id.len() > limits::ID_BYTES
            || id.contains(char::is_control)
            || !is_name(kind)
            || self.0.len() == limits::TARGETS
        {
            return;
        }
        let mut out = Line::default();
        out.text("id", &id);
        out.text("type", kind);
        if let Some(name) = name.filter(|name| !name.is_empty() && *name != id) {
            out.text("name", &name);
        }
        let target = out.ended();
        if !self.0.contains(&target) {
            self.0.push(target);
        }
    }
}

/// `bucket` for `bucketName`, nothing at all for `name`.
fn kind(name: &str) -> Option<&str> {
    if OTHERS.contains(&name) {
        return None;
    }
    if ["name", "id", "arn"].contains(&name) {
        return Some("");
    }
    let kind = ENDS.iter().find_map(|end| name.strip_suffix(end))?;
    Some(kind)
}

/// The texts of the elements of an array; none if it is none.
fn elements(array: Option<&str>) -> Vec<&str> {
    let elements = array.and_then(|text| serde_json::from_str::<Vec<&RawValue>>(text).ok());
    elements
        .unwrap_or_default()
        .into_iter()
        .map(RawValue::get)
        .collect()
}
