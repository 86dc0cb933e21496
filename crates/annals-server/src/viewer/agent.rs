//! What a `User-Agent` header claims, in two words.

/// `Chrome · macOS`, or the first word of what was sent. Never more than a claim.
pub(crate) fn family(agent: &str) -> String {
    let has = |needle: &str| agent.contains(needle);
    let browser = [
        ("Edg/", "Edge"),
        ("EdgA/", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("HeadlessChrome/", "Headless Chrome"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
    ]
    .into_iter()
    .find_map(|(mark, name)| has(mark).then_some(name))
    .or_else(|| (has("Safari/") && has("Version/")).then_some("Safari"));
    let system = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("CrOS", "ChromeOS"),
        ("Mac OS X", "macOS"),
        ("Macintosh", "macOS"),
        ("Linux", "Linux"),
    ]
    .into_iter()
    .find_map(|(mark, name)| has(mark).then_some(name));
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} · {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => {
            let word = agent
                .split([' ', '/', '('])
                .find(|w| !w.is_empty())
                .unwrap_or_default();
            super::visible::short(word, 24)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::family;

    #[test]
    fn the_usual_ones() {
        let chrome = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
        assert_eq!(family(chrome), "Chrome · macOS");
        assert_eq!(
            family(&chrome.replace("Safari/537.36", "Safari/537.36 Edg/142.0")),
            "Edge · macOS"
        );
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
        assert_eq!(family(iphone), "Safari · iPhone");
        assert_eq!(
            family("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox · Linux"
        );
        assert_eq!(family("curl/8.5.0"), "curl");
        assert_eq!(family("<script>alert(1)</script>"), "<script>alert");
        assert_eq!(family(""), "");
    }
}
