//! Requests as the pages need them, and responses with what browsers must be told.

use std::net::IpAddr;
use std::time::Duration;

use async_io::Timer;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use maud::Markup;

use crate::accounts::Token;
use crate::backup;

/// Bytes of a form; the longest page has a few hundred fields.
const FORM_BYTES: usize = 64 * 1024;

/// Bytes of a form with a file: a backup.
const UPLOAD_BYTES: usize = backup::FILE_CHARS_MAX + 8 * 1024;

/// Bytes of a form that is too long that are thrown away before the connection is closed.
const DISCARDED_BYTES: usize = 1024 * 1024;

/// Fields of a form or a query.
const FIELDS: usize = 512;

/// Time in which a whole form must have arrived.
const FORM_TIME: Duration = Duration::from_secs(15);

/// Name of the session's cookie. The prefix makes browsers insist on `Secure` and `Path=/`.
const COOKIE: &str = "__Host-session";

/// Set by the script of live pages: nobody has touched anything.
const LIVE: &str = "x-live";

/// Nothing from elsewhere, nothing inline, nobody around us.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// A response, whole.
pub(super) type Response = hyper::Response<Full<Bytes>>;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Show; also HEAD.
    Get,
    /// Do.
    Post,
}

/// A request, read and bounded.
#[derive(Debug)]
pub(super) struct Request {
    /// What is asked.
    pub(super) verb: Verb,
    /// Path without query.
    pub(super) path: String,
    /// Fields of the query.
    pub(super) query: Fields,
    /// Fields of the form, decoded.
    pub(super) form: Fields,
    /// The session that the browser shows.
    pub(super) token: Option<Token>,
    /// Whether it comes from the script of a live page and not from a person.
    pub(super) live: bool,
    /// Whether a page of ours sent it, as far as the browser tells.
    pub(super) same_origin: bool,
    /// Address of the browser.
    pub(super) from: IpAddr,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// The response that says what is wrong with it.
    pub(super) async fn read(
        request: hyper::Request<Incoming>,
        from: IpAddr,
    ) -> Result<Self, StatusCode> {
        let (head, body) = request.into_parts();
        let verb = match head.method {
            Method::GET | Method::HEAD => Verb::Get,
            Method::POST => Verb::Post,
            _ => return Err(StatusCode::METHOD_NOT_ALLOWED),
        };
        let form = match verb {
            Verb::Get => Fields::default(),
            Verb::Post => read_form(&head.headers, body).await?,
        };
        let query = Fields::parse(head.uri.query().unwrap_or("").as_bytes());
        Ok(Self {
            verb,
            path: head.uri.path().to_owned(),
            query: query.ok_or(StatusCode::BAD_REQUEST)?,
            form,
            token: cookie(&head.headers).and_then(Token::parse),
            live: head.headers.contains_key(LIVE),
            same_origin: is_same_origin(&head.headers),
            from,
        })
    }
}

async fn read_form(headers: &HeaderMap, body: Incoming) -> Result<Fields, StatusCode> {
    let kind = text(headers, header::CONTENT_TYPE.as_str()).unwrap_or("");
    let (boundary, bytes_max) = match kind.split(';').next().map(str::trim) {
        Some("application/x-www-form-urlencoded") => (None, FORM_BYTES),
        Some("multipart/form-data") => {
            let boundary = boundary(kind).ok_or(StatusCode::BAD_REQUEST)?;
            (Some(boundary), UPLOAD_BYTES)
        }
        Some(_) | None => return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
    };
    let late = async {
        Timer::after(FORM_TIME).await;
        Err(StatusCode::REQUEST_TIMEOUT)
    };
    let body = smol::future::or(read_body(body, bytes_max), late).await?;
    let fields = match boundary {
        None => Fields::parse(&body),
        Some(boundary) => Fields::parse_parts(&body, boundary),
    };
    fields.ok_or(StatusCode::BAD_REQUEST)
}

/// What stands between the parts of a form with files (RFC 2046 section 5.1.1).
fn boundary(kind: &str) -> Option<&str> {
    let parameters = kind.split(';').skip(1).map(str::trim);
    let boundary = parameters
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?
        .1
        .trim_matches('"');
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// Takes in a whole body. Of one that is too long some more is thrown away: a client that is cut
/// off while it sends never sees the answer that says why.
async fn read_body(mut body: Incoming, bytes_max: usize) -> Result<Vec<u8>, StatusCode> {
    let mut bytes = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        if length <= bytes_max {
            bytes.extend_from_slice(&data);
        } else if length > DISCARDED_BYTES {
            break;
        }
    }
    if length > bytes_max {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    Ok(bytes)
}

/// Whether the browser says that a page of this very site sent the request. Old browsers and
/// programs say nothing; then the form's own token decides.
fn is_same_origin(headers: &HeaderMap) -> bool {
    if text(headers, "sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return false;
    }
    match (text(headers, "origin"), text(headers, "host")) {
        (Some(origin), Some(host)) => origin
            .strip_prefix("https://")
            .is_some_and(|origin| origin.eq_ignore_ascii_case(host)),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Names and values of a form or query, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`; `None` when it is not, or is too much.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Vec::new();
        for pair in bytes
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
        {
            if fields.len() == FIELDS {
                return None;
            }
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(parts.next().unwrap_or(b""))?;
            fields.push((name, decode(parts.next().unwrap_or(b""))?));
        }
        Some(Self(fields))
    }

    /// Reads `multipart/form-data` (RFC 7578); `None` when it is not, or is too much. A file is
    /// its text: nothing else is taken here.
    fn parse_parts(bytes: &[u8], boundary: &str) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mark = format!("\r\n--{boundary}");
        let text = format!("\r\n{text}");
        let mut fields = Vec::new();
        let mut parts = text.split(mark.as_str());
        // Before the first mark stands nothing that matters.
        parts.next()?;
        for part in parts {
            if part.starts_with("--") {
                return Some(Self(fields));
            }
            let (head, value) = part.split_once("\r\n\r\n")?;
            if fields.len() == FIELDS {
                return None;
            }
            let (_, name) = head.split_once(" name=\"")?;
            let (name, _) = name.split_once('"')?;
            fields.push((name.to_owned(), value.to_owned()));
        }
        None
    }

    /// The first value of a field, without blanks around it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim())
    }

    /// The value of a field as it was sent; empty when it was not.
    pub(super) fn exact(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Fields {
    fn from(fields: [(&str, &str); N]) -> Self {
        Self(
            fields
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
        )
    }
}

/// Undoes percent-encoding; `None` when it is broken or not UTF-8.
fn decode(bytes: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => *other,
        });
    }
    String::from_utf8(decoded).ok()
}

/// A page.
pub(super) fn page(status: StatusCode, markup: Markup) -> Response {
    let body = Bytes::from(markup.into_string());
    finish(status, "text/html; charset=utf-8", "no-store", body)
}

/// A file that never changes under its name.
pub(super) fn file(kind: &'static str, bytes: &'static [u8]) -> Response {
    let cache = "public, max-age=31536000, immutable";
    finish(StatusCode::OK, kind, cache, Bytes::from_static(bytes))
}

/// A file to be kept by the person at the browser.
pub(super) fn attachment(name: &str, text: String) -> Response {
    let kind = "text/plain; charset=utf-8";
    let mut response = finish(StatusCode::OK, kind, "no-store", Bytes::from(text));
    let value = format!("attachment; filename=\"{name}\"");
    if let Ok(value) = HeaderValue::from_str(&value) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// A few words instead of a page, for those who do not use a browser.
pub(super) fn plain(status: StatusCode) -> Response {
    let body = format!("{status}\n");
    finish(status, "text/plain; charset=utf-8", "no-store", body.into())
}

/// "Look there" after something was done.
pub(super) fn see(path: &str) -> Response {
    let mut response = plain(StatusCode::SEE_OTHER);
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

/// Gives the browser a session to show, or takes it away.
pub(super) fn with_session(mut response: Response, token: Option<&Token>) -> Response {
    let value = match token {
        Some(token) => token.text(),
        None => String::new(),
    };
    let age = if token.is_some() { "" } else { "; Max-Age=0" };
    let cookie = format!("{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{age}");
    if let Ok(mut cookie) = HeaderValue::from_str(&cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn finish(status: StatusCode, kind: &'static str, cache: &'static str, body: Bytes) -> Response {
    let mut response = hyper::Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-type", kind),
        ("cache-control", cache),
        ("content-security-policy", CONTENT_POLICY),
        ("strict-transport-security", "max-age=31536000"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                header::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn forms_decode_or_are_refused() {
        for (text, fields) in [
            ("", Some(vec![])),
            ("a=1&b=", Some(vec![("a", "1"), ("b", "")])),
            ("a=x+y%2Bz&&c", Some(vec![("a", "x y+z"), ("c", "")])),
            ("n%C3%A4me=%E2%80%A0", Some(vec![("näme", "†")])),
            ("a=%4", None),
            ("a=%zz", None),
            ("a=%ff", None),
        ] {
            let fields = fields.map(|fields| {
                let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                Fields(fields.into_iter().map(owned).collect())
            });
            assert_eq!(Fields::parse(text.as_bytes()), fields, "{text}");
        }
        let many = "a=1&".repeat(FIELDS);
        assert!(Fields::parse(many.as_bytes()).is_some());
        assert!(Fields::parse((many + "a=1").as_bytes()).is_none());
    }

    #[test]
    fn forms_with_files_are_read_or_refused() {
        let kind = "multipart/form-data; boundary=\"x-7\"";
        assert_eq!(boundary(kind), Some("x-7"));
        assert_eq!(boundary("multipart/form-data"), None);
        let body = "--x-7\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x-7\r\n\
                    Content-Disposition: form-data; name=\"file\"; filename=\"b\"\r\n\
                    Content-Type: text/plain\r\n\r\nline\r\n\r\nline\r\n--x-7--\r\n";
        let fields = Fields::parse_parts(body.as_bytes(), "x-7").expect("fields");
        assert_eq!(
            (fields.exact("a"), fields.exact("file")),
            ("1", "line\r\n\r\nline")
        );
        for length in 0..body.len() - 4 {
            assert_eq!(Fields::parse_parts(&body.as_bytes()[..length], "x-7"), None);
        }
        assert_eq!(Fields::parse_parts(body.as_bytes(), "other"), None);
    }

    #[test]
    fn requests_from_elsewhere_show() {
        for (pairs, same) in [
            (&[("host", "box")][..], true),
            (&[("host", "box"), ("origin", "https://box")], true),
            (
                &[("host", "box:8443"), ("origin", "https://BOX:8443")],
                true,
            ),
            (&[("host", "box"), ("origin", "https://evil")], false),
            (&[("host", "box"), ("origin", "http://box")], false),
            (&[("host", "box"), ("origin", "null")], false),
            (&[("origin", "https://box")], false),
            (&[("host", "box"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "box"), ("sec-fetch-site", "same-site")], false),
            (&[("host", "box"), ("sec-fetch-site", "cross-site")], false),
        ] {
            assert_eq!(is_same_origin(&headers(pairs)), same, "{pairs:?}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let text = "a=b; __Host-session=abc; x=y";
        assert_eq!(cookie(&headers(&[("cookie", text)])), Some("abc"));
        assert_eq!(cookie(&headers(&[("cookie", "__Host-sessions=abc")])), None);
    }
}
