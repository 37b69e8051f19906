//! One SIP message: the received bytes and an index of their header lines.

use alloc::vec::Vec;
use core::ops::Range;

use memchr::memchr;

use super::header::{Header, Method};
use super::params::{Params, find, split_list};
use super::uri::Uri;
use super::via::Via;
use super::{is_token, number, trim};
use crate::base::limits;

/// Header fields that the index has room for at once; more cost a second allocation.
const USUAL_FIELDS: usize = 24;

/// A request or response.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Vec<u8>,
    start: StartLine,
    fields: Vec<Field>,
    body: Range<usize>,
    /// The first thing that is wrong with start line or header lines.
    flaw: Option<Fault>,
}

/// A header field line in the bytes, folds included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) header: Header,
    pub(super) start: u32,
    pub(super) value: u32,
    /// End of the value, without its line end.
    pub(super) end: u32,
    /// Begin of the next line.
    pub(super) next: u32,
}

#[derive(Clone, Debug)]
enum StartLine {
    Request {
        method: Method,
        name: Range<usize>,
        uri: Range<usize>,
    },
    Status {
        code: u16,
        reason: Range<usize>,
    },
}

/// What is wrong with a message: where, the status that answers it, and the reason phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Byte from the start of the message.
    pub position: usize,
    /// Status of the response to a request with this fault.
    pub status: u16,
    /// Reason phrase that says what is wrong.
    pub reason: &'static str,
}

impl Fault {
    const fn bad(position: usize, reason: &'static str) -> Self {
        Self {
            position,
            status: 400,
            reason,
        }
    }
}

/// The value of From, To, Contact, Route and their kind (section 25.1: name-addr or addr-spec).
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// Display name as received, perhaps quoted, perhaps empty.
    pub display: &'a [u8],
    /// The URI, without angle brackets.
    pub uri: &'a [u8],
    /// Parameters after the URI.
    pub params: Params<'a>,
}

/// All Contact values of a message.
#[derive(Clone, Debug)]
pub enum Contacts<'a> {
    /// The single value `*` (section 10.2.2).
    Star,
    /// Each value, read, or where it cannot be.
    List(Vec<Contact<'a>>),
}

/// One Contact value as a registrar reads it.
#[derive(Clone, Copy, Debug)]
pub struct Contact<'a> {
    /// The URI, without angle brackets.
    pub uri: &'a [u8],
    /// Preference in thousandths (section 20.10).
    pub q: Option<u16>,
    /// Wished lifetime in seconds.
    pub expires: Option<u32>,
    /// `+sip.instance` without quotation marks (RFC 5626 section 4.1).
    pub instance: Option<&'a [u8]>,
    /// `reg-id` (RFC 5626 section 4.2).
    pub reg_id: Option<u32>,
    /// All parameters.
    pub params: Params<'a>,
}

impl Message {
    /// Indexes a message that came whole: one datagram, or what the framer cut out.
    ///
    /// # Errors
    ///
    /// When not even start line and header lines can be told apart. Whatever else is wrong is
    /// told by [`Message::fault`], so that it can be answered.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Fault> {
        let first = bytes
            .iter()
            .position(|byte| !matches!(byte, b'\r' | b'\n'))
            .unwrap_or(0);
        let line_end = end_of_line(&bytes, first).ok_or(Fault::bad(first, "No Start Line"))?;
        let mut flaw = None;
        let start = StartLine::parse(&bytes, first..line_end, &mut flaw)?;
        let mut fields = Vec::with_capacity(USUAL_FIELDS);
        let mut position = line_end + 2;
        loop {
            if bytes[position.min(bytes.len())..].starts_with(b"\r\n") {
                position += 2;
                break;
            }
            let end = field_end(&bytes, position).ok_or(Fault::bad(position, "Header Cut Off"))?;
            if fields.len() == limits::SIP_HEADERS {
                return Err(Fault::bad(position, "Too Many Header Fields"));
            }
            match index_field(&bytes, position, end) {
                Some(field) => fields.push(field),
                None => flaw = flaw.or(Some(Fault::bad(position, "Malformed Header Field"))),
            }
            position = end + 2;
        }
        let body = position..bytes.len();
        let mut message = Self {
            bytes,
            start,
            fields,
            body,
            flaw,
        };
        message.cut_body();
        Ok(message)
    }

    /// What is wrong with it as a message of RFC 3261, if anything: malformed start line, a
    /// mandatory header field that is missing, doubled or unreadable, a body that is cut off.
    pub fn fault(&self) -> Option<Fault> {
        self.flaw
            .or_else(|| self.missing())
            .or_else(|| self.unreadable())
    }

    /// The bytes as received.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it is a request.
    pub const fn is_request(&self) -> bool {
        matches!(self.start, StartLine::Request { .. })
    }

    /// The method of a request, or of the request that a response answers (from CSeq).
    pub fn method(&self) -> Method {
        match &self.start {
            StartLine::Request { method, .. } => *method,
            StartLine::Status { .. } => self
                .cseq()
                .map_or(Method::Other, |(_, name)| Method::of(name)),
        }
    }

    /// The method's name as received; empty for a response.
    pub fn method_name(&self) -> &[u8] {
        match &self.start {
            StartLine::Request { name, .. } => &self.bytes[name.clone()],
            StartLine::Status { .. } => b"",
        }
    }

    /// The Request-URI; empty for a response.
    pub fn request_uri(&self) -> &[u8] {
        &self.bytes[self.request_uri_range()]
    }

    /// The status code; 0 for a request.
    pub const fn status(&self) -> u16 {
        match self.start {
            StartLine::Request { .. } => 0,
            StartLine::Status { code, .. } => code,
        }
    }

    /// The reason phrase; empty for a request.
    pub fn reason(&self) -> &[u8] {
        match &self.start {
            StartLine::Request { .. } => b"",
            StartLine::Status { reason, .. } => &self.bytes[reason.clone()],
        }
    }

    /// The first value of a header field, trimmed; lists come whole.
    pub fn header(&self, header: Header) -> Option<&[u8]> {
        self.fields
            .iter()
            .find(|field| field.header == header)
            .map(|field| self.value(field))
    }

    /// Values of all header fields of a name, in order; lists come whole.
    pub fn headers(&self, header: Header) -> impl DoubleEndedIterator<Item = &[u8]> {
        let of = move |field: &&Field| field.header == header;
        self.fields.iter().filter(of).map(|field| self.value(field))
    }

    /// Single values of all header fields of a name, lists taken apart.
    pub fn values(&self, header: Header) -> impl Iterator<Item = &[u8]> {
        self.headers(header).flat_map(split_list)
    }

    /// Values of a header field that [`Header`] does not name.
    pub fn named<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let of = move |field: &&Field| {
            let end = self.bytes[field.start as usize..]
                .iter()
                .position(|byte| *byte == b':');
            let start = field.start as usize;
            trim(&self.bytes[start..start + end.unwrap_or(0)]).eq_ignore_ascii_case(name)
        };
        self.fields.iter().filter(of).map(|field| self.value(field))
    }

    /// The topmost Via value, when it can be read.
    pub fn top_via(&self) -> Option<Via<'_>> {
        self.values(Header::Via).next().and_then(Via::parse)
    }

    /// Number and method of CSeq.
    pub fn cseq(&self) -> Option<(u32, &[u8])> {
        let value = self.header(Header::CSeq)?;
        let space = value.iter().position(u8::is_ascii_whitespace)?;
        let method = trim(&value[space..]);
        let number = number(&value[..space]).filter(|number| *number < 1 << 31)?;
        is_token(method).then_some((number, method))
    }

    /// Call-ID.
    pub fn call_id(&self) -> &[u8] {
        self.header(Header::CallId).unwrap_or(b"")
    }

    /// From, To or another field that holds one name and address.
    pub fn address(&self, header: Header) -> Option<NameAddr<'_>> {
        self.header(header).and_then(NameAddr::parse)
    }

    /// The tag of From or To.
    pub fn tag(&self, header: Header) -> Option<&[u8]> {
        self.address(header)?.params.value(b"tag")
    }

    /// All Contact values; `None` when one cannot be read, or `*` is not alone.
    pub fn contacts(&self) -> Option<Contacts<'_>> {
        let mut list = Vec::new();
        let mut star = false;
        for value in self.values(Header::Contact) {
            if value == b"*" {
                star = true;
            } else {
                list.push(Contact::parse(value)?);
            }
        }
        match (star, list.is_empty()) {
            (true, true) => Some(Contacts::Star),
            (true, false) => None,
            (false, _) => Some(Contacts::List(list)),
        }
    }

    /// Max-Forwards, when it is there; a value above 255 counts as 255.
    pub fn max_forwards(&self) -> Option<u8> {
        self.header(Header::MaxForwards)
            .and_then(number)
            .map(|hops| hops.min(255) as u8)
    }

    /// Expires in seconds, when it is there and can be read.
    pub fn expires(&self) -> Option<u32> {
        self.header(Header::Expires).and_then(number)
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body.clone()]
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub(super) fn value(&self, field: &Field) -> &[u8] {
        &self.bytes[field.value as usize..field.end as usize]
    }

    /// Where the Request-URI stands; empty for a response.
    pub(super) fn request_uri_range(&self) -> Range<usize> {
        match &self.start {
            StartLine::Request { uri, .. } => uri.clone(),
            StartLine::Status { .. } => 0..0,
        }
    }

    /// Where header fields begin and end; the empty line follows.
    pub(super) fn header_range(&self) -> Range<usize> {
        let end = self.body.start - 2;
        self.fields
            .first()
            .map_or(end, |field| field.start as usize)..end
    }

    /// Where the body stands.
    pub(super) fn body_range(&self) -> Range<usize> {
        self.body.clone()
    }

    /// Bytes of a datagram after Content-Length are not part of the message (section 18.3).
    fn cut_body(&mut self) {
        let Some(value) = self.header(Header::ContentLength) else {
            return;
        };
        match number(value).map(|length| length as usize) {
            Some(length) if length <= self.body.len() => self.body.end = self.body.start + length,
            Some(_) => self.note(Header::ContentLength, "Content-Length Beyond The End"),
            None => self.note(Header::ContentLength, "Malformed Content-Length"),
        }
        let end = self.body.end;
        self.bytes.truncate(end);
    }

    fn note(&mut self, header: Header, reason: &'static str) {
        self.flaw = self
            .flaw
            .or(Some(Fault::bad(self.position(header), reason)));
    }

    fn position(&self, header: Header) -> usize {
        let field = self.fields.iter().find(|field| field.header == header);
        field.map_or(self.body.start, |field| field.start as usize)
    }

    fn missing(&self) -> Option<Fault> {
        const MANDATORY: [(Header, &str); 5] = [
            (Header::Via, "Missing Via"),
            (Header::From, "Missing From"),
            (Header::To, "Missing To"),
            (Header::CallId, "Missing Call-ID"),
            (Header::CSeq, "Missing CSeq"),
        ];
        let mut seen = 0_u64;
        for field in &self.fields {
            let bit = 1_u64 << field.header as u32;
            if seen & bit != 0 && field.header.is_single() {
                return Some(Fault::bad(field.start as usize, "Header Field Twice"));
            }
            seen |= bit;
        }
        let absent = |header: Header| seen & (1 << header as u32) == 0;
        let missing = MANDATORY.iter().find(|(header, _)| absent(*header));
        missing.map(|(_, reason)| Fault::bad(self.body.start, reason))
    }

    fn unreadable(&self) -> Option<Fault> {
        let bad = |header, reason| Some(Fault::bad(self.position(header), reason));
        let Some((_, method)) = self.cseq() else {
            return bad(Header::CSeq, "Malformed CSeq");
        };
        if self.is_request() && method != self.method_name() {
            return bad(Header::CSeq, "CSeq Method Does Not Match");
        }
        if self.top_via().is_none() {
            return bad(Header::Via, "Malformed Via");
        }
        for (header, reason) in [
            (Header::From, "Malformed From"),
            (Header::To, "Malformed To"),
        ] {
            if self.address(header).is_none() {
                return bad(header, reason);
            }
        }
        if self.call_id().is_empty() {
            return bad(Header::CallId, "Malformed Call-ID");
        }
        let numbers = [
            (Header::MaxForwards, "Malformed Max-Forwards"),
            (Header::Expires, "Malformed Expires"),
        ];
        let wrong = |header| {
            self.header(header)
                .is_some_and(|value| number(value).is_none())
        };
        let found = numbers.iter().find(|(header, _)| wrong(*header));
        found.and_then(|(header, reason)| bad(*header, reason))
    }
}

impl StartLine {
    fn parse(bytes: &[u8], line: Range<usize>, flaw: &mut Option<Fault>) -> Result<Self, Fault> {
        let text = &bytes[line.clone()];
        if text.len() >= 4 && text[..4].eq_ignore_ascii_case(b"SIP/") && text.contains(&b' ') {
            return Self::status(text, &line);
        }
        let (Some(first), Some(last)) = (
            text.iter().position(|b| *b == b' '),
            text.iter().rposition(|b| *b == b' '),
        ) else {
            return Err(Fault::bad(line.start, "Malformed Start Line"));
        };
        let (name, uri, version) = (&text[..first], text.get(first + 1..last), &text[last + 1..]);
        if !is_token(name) || version.len() < 5 || !version[..4].eq_ignore_ascii_case(b"SIP/") {
            return Err(Fault::bad(line.start, "Malformed Request Line"));
        }
        let odd = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'<' | b'>' | b'"');
        if uri.is_none_or(|uri| uri.is_empty() || uri.iter().any(odd)) {
            *flaw = Some(Fault::bad(line.start + first, "Malformed Request-URI"));
        } else if &version[4..] != b"2.0" {
            let reason = "Version Not Supported";
            *flaw = Some(Fault {
                position: line.start + last,
                status: 505,
                reason,
            });
        } else if uri.and_then(|uri| Uri::parse(uri).ok()).is_none() {
            *flaw = Some(Fault::bad(line.start + first, "Malformed Request-URI"));
        }
        let uri = line.start + first + 1..(line.start + last).max(line.start + first + 1);
        let name = line.start..line.start + first;
        Ok(Self::Request {
            method: Method::of(&bytes[name.clone()]),
            name,
            uri,
        })
    }

    fn status(text: &[u8], line: &Range<usize>) -> Result<Self, Fault> {
        let bad = Fault::bad(line.start, "Malformed Status Line");
        let code = text
            .get(8..11)
            .and_then(number)
            .filter(|code| (100..700).contains(code));
        let framed = text
            .get(..8)
            .is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/2.0 "))
            && matches!(text.get(11), None | Some(b' '));
        let code = code.filter(|_| framed).ok_or(bad)?;
        Ok(Self::Status {
            code: code as u16,
            reason: (line.start + 12).min(line.end)..line.end,
        })
    }
}

impl<'a> NameAddr<'a> {
    /// Reads one value.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let Some(open) = find_open(value) else {
            let end = find(value, b';', 0).unwrap_or(value.len());
            let uri = trim(&value[..end]);
            Uri::parse(uri).ok().filter(|_| !uri.contains(&b'"'))?;
            return Some(Self {
                display: b"",
                uri,
                params: Params::new(&value[end..]),
            });
        };
        let close = open + value[open..].iter().position(|byte| *byte == b'>')?;
        let uri = &value[open + 1..close];
        Uri::parse(uri).ok()?;
        let rest = trim(&value[close + 1..]);
        let display = trim(&value[..open]);
        let whole = rest.is_empty() || rest.starts_with(b";");
        whole.then_some(Self {
            display,
            uri,
            params: Params::new(rest),
        })
    }
}

/// Where the URI's angle bracket opens, outside quotation marks; `None` for an addr-spec.
fn find_open(value: &[u8]) -> Option<usize> {
    find(value, b'<', 0)
}

impl<'a> Contact<'a> {
    /// Reads one value.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let NameAddr { uri, params, .. } = NameAddr::parse(value)?;
        let unquoted = |value: &'a [u8]| value.strip_prefix(b"\"")?.strip_suffix(b"\"");
        Some(Self {
            uri,
            q: params.value(b"q").and_then(thousandths),
            expires: params.value(b"expires").and_then(number),
            instance: params.value(b"+sip.instance").and_then(unquoted),
            reg_id: params.value(b"reg-id").and_then(number),
            params,
        })
    }
}

/// `0.75` as 750 (section 25.1 qvalue).
fn thousandths(text: &[u8]) -> Option<u16> {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &b""[..]),
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |place: usize| u16::from(fraction.get(place).map_or(0, |digit| digit - b'0'));
    let sum = match whole {
        b"0" | b"" => 0,
        b"1" => 1_000,
        _ => return None,
    } + digit(0) * 100
        + digit(1) * 10
        + digit(2);
    (sum <= 1_000).then_some(sum)
}

/// Where the CRLF of a line stands; `None` when there is none or a line feed stands alone.
fn end_of_line(bytes: &[u8], start: usize) -> Option<usize> {
    let feed = start + memchr(b'\n', bytes.get(start..)?)?;
    (feed > start && bytes[feed - 1] == b'\r').then(|| feed - 1)
}

/// Where the CRLF of a header field stands, folded lines included (section 7.3.1).
fn field_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut end = end_of_line(bytes, start)?;
    while let Some(b' ' | b'\t') = bytes.get(end + 2) {
        end = end_of_line(bytes, end + 2)?;
    }
    Some(end)
}

fn index_field(bytes: &[u8], start: usize, end: usize) -> Option<Field> {
    let line = &bytes[start..end];
    let colon = memchr(b':', line)?;
    let name = match &line[..colon] {
        name if name.last().is_some_and(|byte| matches!(byte, b' ' | b'\t')) => trim(name),
        name => name,
    };
    if !is_token(name) || line[0].is_ascii_whitespace() {
        return None;
    }
    let raw = &line[colon + 1..];
    let value = trim(raw);
    let lead = if value.is_empty() {
        raw.len()
    } else {
        value.as_ptr() as usize - raw.as_ptr() as usize
    };
    let value_start = start + colon + 1 + lead;
    Some(Field {
        header: Header::of(name),
        start: start as u32,
        value: value_start as u32,
        end: (value_start + value.len()) as u32,
        next: end as u32 + 2,
    })
}
