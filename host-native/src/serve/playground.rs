//! `/playground/`: the page that was built into this program, and nothing else.
//! Its policy lets it load what is here, run the module, and talk to this server alone.

use std::io::Read as _;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use pillarbox_web_binary::{FILES, File};

/// No inline script, nothing from elsewhere, in nobody's frame. `wasm-unsafe-eval` is what compiles a module;
/// styles may be set on elements, since positions on the map are computed.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; worker-src 'self'; frame-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What has a hash in its name is never asked for again.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The title in the page as it was built; the page itself puts what stands before it before its own titles.
const TITLE: &str = "<title>Pillarbox playground</title>";

/// The routes; a label stands in the page's title.
pub(super) fn routes(label: Option<&str>) -> Router {
    let page: Option<Bytes> =
        label.and_then(|label| Some(labelled(&plain(FILES.first()?), label).into()));
    let first = async move |headers: HeaderMap| match (page, FILES.first()) {
        (Some(page), Some(file)) => with_headers(page.into_response(), file),
        (_, file) => answer(file, &headers),
    };
    Router::new()
        .route("/playground", get(async || Redirect::permanent("/playground/")))
        .route("/playground/", get(first))
        .route(
            "/playground/{name}",
            get(async |Path(name): Path<String>, headers: HeaderMap| {
                answer(FILES.iter().find(|file| file.name == name), &headers)
            }),
        )
}

/// The page with a label before its title.
fn labelled(page: &[u8], label: &str) -> String {
    let label =
        format!("<title>{} \u{b7} Pillarbox playground</title>", super::http::escaped(label));
    String::from_utf8_lossy(page).replacen(TITLE, &label, 1)
}

fn answer(file: Option<&'static File>, asked: &HeaderMap) -> Response {
    let Some(file) = file else {
        return (StatusCode::NOT_FOUND, "there is no such file in the playground\n")
            .into_response();
    };
    let packed = [("br", file.brotli), ("gzip", file.gzip)];
    let response = match packed.into_iter().find(|(coding, _)| takes(asked, coding)) {
        Some((coding, octets)) => {
            let mut response = octets.into_response();
            let coding = HeaderValue::from_static(coding);
            response.headers_mut().insert(header::CONTENT_ENCODING, coding);
            response
        }
        None => plain(file).into_response(),
    };
    with_headers(response, file)
}

fn with_headers(mut response: Response, file: &File) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let kept = if file.hashed { FOR_EVER } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

/// A coding with weight 0 is one that is refused (RFC 9110 §12.5.3).
fn takes(asked: &HeaderMap, wanted: &str) -> bool {
    let codings = asked.get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = codings.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case(wanted) && !refused
    })
}

/// The contents, for those who take no gzip and for folders.
pub(crate) fn plain(file: &File) -> Vec<u8> {
    let mut octets = Vec::with_capacity(file.octets_len);
    let read = flate2::read::GzDecoder::new(file.gzip).read_to_end(&mut octets);
    read.expect("the build compressed it");
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for value in ["gzip", "br, gzip", "GZIP;q=0.5", "deflate, gzip;q=1.0, *;q=0.5"] {
            assert!(takes(&accepting(value), "gzip"), "{value}");
        }
        assert!(takes(&accepting("gzip, deflate, br"), "br"));
        for value in ["", "br", "gzip;q=0", "gzip; q=0.0", "x-gzip"] {
            assert!(!takes(&accepting(value), "gzip"), "{value}");
        }
        assert!(!takes(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn a_label_stands_in_the_title_as_text() {
        let page = labelled(format!("<head>{TITLE}").as_bytes(), "the <first>");
        let title = "<title>the &lt;first> \u{b7} Pillarbox playground</title>";
        assert_eq!(page, format!("<head>{title}"));
    }

    #[test]
    fn every_file_is_served_as_it_was_built() {
        for file in FILES {
            assert_eq!(plain(file).len(), file.octets_len, "{}", file.name);
            let packed = answer(Some(file), &accepting("gzip"));
            assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
            let smallest = answer(Some(file), &accepting("gzip, deflate, br"));
            assert_eq!(smallest.headers()[header::CONTENT_ENCODING], "br");
            let bare = answer(Some(file), &HeaderMap::new());
            assert!(!bare.headers().contains_key(header::CONTENT_ENCODING));
            for response in [packed, bare] {
                let headers = response.headers();
                assert_eq!(headers[header::CONTENT_SECURITY_POLICY], POLICY);
                let kept = headers[header::CACHE_CONTROL] == FOR_EVER;
                assert_eq!(kept, file.hashed, "{}", file.name);
            }
        }
        assert_eq!(answer(None, &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
    }
}
