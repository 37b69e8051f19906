//! One SIP message: the received bytes and an index of their header lines.

use alloc::vec::Vec;
use core::ops::Range;

use super::address::{Contact, Contacts, NameAddr};
use super::header::{Header, Method};
use super::lines::{self, Line};
use super::params::split_list;
use super::text::{self, is_token, number, trim, trim_end};
use super::via::Via;
use crate::base::limits;

/// Header fields that the index has room for at once; more cost a second allocation.
const USUAL_FIELDS: usize = 24;

/// A request or response.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Vec<u8>,
    start: StartLine,
    fields: Vec<Field>,
    /// One bit for each name that occurs.
    present: u128,
    /// After the last header field: where another can be added.
    head_end: usize,
    body: Range<usize>,
    /// The first thing that is wrong with start line, header lines or length.
    flaw: Option<Fault>,
}

/// A header field line in the bytes, folds included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) header: Header,
    pub(super) start: u32,
    pub(super) name_end: u32,
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
    pub(super) const fn bad(position: usize, reason: &'static str) -> Self {
        Self {
            position,
            status: 400,
            reason,
        }
    }
}

impl Message {
    /// Indexes a message that came whole: one datagram, or what the framer cut out. Empty lines
    /// before it are skipped; bytes after the body that Content-Length tells are cut off.
    ///
    /// # Errors
    ///
    /// When it is no SIP message at all, so that there is nobody to answer. Whatever else is wrong
    /// is told by [`Message::fault`], so that it can be answered.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Fault> {
        if bytes.len() > limits::SIP_MESSAGE_BYTES {
            return Err(Fault {
                position: limits::SIP_MESSAGE_BYTES,
                status: 513,
                reason: "Message Too Large",
            });
        }
        let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let first = bytes.iter().position(|byte| !is_line_end(byte));
        let first = first.ok_or(Fault::bad(0, "No Start Line"))?;
        let span = lines::span(&bytes, first);
        let mut flaw = None;
        let start = StartLine::parse(&bytes, first..span.content_end, &mut flaw)?;
        if let Some(position) = span.bare_return {
            note(&mut flaw, Fault::bad(position, "Malformed Start Line"));
        }
        let mut message = Self {
            bytes,
            start,
            fields: Vec::with_capacity(USUAL_FIELDS),
            present: 0,
            head_end: span.end,
            body: 0..0,
            flaw,
        };
        message.index_fields(span.end);
        message.cut_body();
        Ok(message)
    }

    /// What is wrong with it as a message of RFC 3261, if anything: malformed start line, a
    /// mandatory header field that is missing, doubled or unreadable, a body that is cut off; in
    /// a request also a scheme that nobody here knows, a Route that cannot be read, and in a
    /// REGISTER a Contact that cannot be.
    pub fn fault(&self) -> Option<Fault> {
        self.flaw.or_else(|| self.find_fault())
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

    /// Whether there is a header field of this name (never so for [`Header::Other`]).
    pub fn has(&self, header: Header) -> bool {
        header != Header::Other && self.present & header.bit() != 0
    }

    /// The first value of a header field, trimmed; lists come whole.
    pub fn header(&self, header: Header) -> Option<&[u8]> {
        self.headers(header).next()
    }

    /// Values of all header fields of a name, in order; lists come whole.
    pub fn headers(&self, header: Header) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.fields_of(header).map(|field| self.value(field))
    }

    /// Single values of all header fields of a name, lists taken apart.
    pub fn values(&self, header: Header) -> impl Iterator<Item = &[u8]> {
        self.headers(header).flat_map(split_list)
    }

    /// Values of a header field that [`Header`] does not name.
    pub fn named<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let of = move |field: &&Field| {
            self.bytes[field.start as usize..field.name_end as usize].eq_ignore_ascii_case(name)
        };
        self.fields.iter().filter(of).map(|field| self.value(field))
    }

    /// Whether a list of option tags or of methods holds this one, without regard to case.
    pub fn lists(&self, header: Header, tag: &[u8]) -> bool {
        self.values(header)
            .any(|value| value.eq_ignore_ascii_case(tag))
    }

    /// The topmost Via value, when it can be read.
    pub fn top_via(&self) -> Option<Via<'_>> {
        self.values(Header::Via).next().and_then(Via::parse)
    }

    /// Number and method of CSeq.
    pub fn cseq(&self) -> Option<(u32, &[u8])> {
        let value = self.header(Header::CSeq)?;
        let space = value.iter().position(|byte| text::is_space(*byte))?;
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
        let mut stars = 0;
        for value in self.values(Header::Contact) {
            if value == b"*" {
                stars += 1;
            } else {
                list.push(Contact::parse(value)?);
            }
        }
        match (stars, list.is_empty()) {
            (0, _) => Some(Contacts::List(list)),
            (1, true) => Some(Contacts::Star),
            _ => None,
        }
    }

    /// Max-Forwards, when it is there; a value above 255 counts as 255.
    pub fn max_forwards(&self) -> Option<u8> {
        self.header(Header::MaxForwards)
            .and_then(text::large_number)
            .map(|hops| hops.min(255) as u8)
    }

    /// Expires in seconds, when it is there; 3600 when it is malformed (section 10.2.1.1).
    pub fn expires(&self) -> Option<u32> {
        self.header(Header::Expires).map(text::lifetime)
    }

    /// The event package with its templates (RFC 6665 section 8.2.1), without parameters.
    pub fn event(&self) -> Option<&[u8]> {
        let value = self.header(Header::Event)?;
        Some(trim_end(text::split(value, b';').0)).filter(|package| is_token(package))
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body.clone()]
    }

    pub(super) fn fields_of(&self, header: Header) -> impl DoubleEndedIterator<Item = &Field> {
        let fields = if self.has(header) {
            &self.fields[..]
        } else {
            &[]
        };
        fields.iter().filter(move |field| field.header == header)
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
        let first = self.fields.first();
        first.map_or(self.head_end, |field| field.start as usize)..self.head_end
    }

    /// Where a header field stands, or where it is missing: at the end of all.
    pub(super) fn position(&self, header: Header) -> usize {
        let field = self.fields_of(header).next();
        field.map_or(self.head_end, |field| field.start as usize)
    }

    fn index_fields(&mut self, start: usize) {
        let mut at = start;
        let mut flaw = None;
        self.body = loop {
            match lines::line(&self.bytes, at) {
                Line::Field(_) if self.fields.len() == limits::SIP_HEADERS => {
                    flaw = flaw.or(Some(Fault {
                        position: at,
                        status: 513,
                        reason: "Too Many Header Fields",
                    }));
                    break self.bytes.len()..self.bytes.len();
                }
                Line::Field(line) => {
                    let header = Header::of(&self.bytes[line.start..line.name_end]);
                    self.present |= header.bit();
                    self.fields.push(Field {
                        header,
                        start: line.start as u32,
                        name_end: line.name_end as u32,
                        value: line.value as u32,
                        end: line.value_end as u32,
                        next: line.end as u32,
                    });
                    at = line.end;
                    self.head_end = at;
                }
                Line::Malformed { position, end } => {
                    flaw = flaw.or(Some(Fault::bad(position, "Malformed Header Field")));
                    at = end;
                }
                Line::Empty { end } => break end..self.bytes.len(),
                Line::Cut => {
                    let end = self.bytes.len();
                    flaw = flaw.or(Some(Fault::bad(end, "Header Cut Off")));
                    break end..end;
                }
            }
        };
        if let Some(flaw) = flaw {
            note(&mut self.flaw, flaw);
        }
    }

    /// Bytes of a datagram after Content-Length are not part of the message (section 18.3).
    fn cut_body(&mut self) {
        let mut length = None;
        let mut flaw = None;
        for field in self.fields_of(Header::ContentLength) {
            let found = text::large_number(self.value(field));
            let reason = match (found, length) {
                (Some(found), Some(before)) if found != before => "Two Content-Lengths",
                (Some(_), _) => {
                    length = found;
                    continue;
                }
                (None, _) => "Malformed Content-Length",
            };
            flaw = flaw.or(Some(Fault::bad(field.start as usize, reason)));
        }
        match length {
            Some(length) if length <= self.body.len() as u64 => {
                self.body.end = self.body.start + length as usize;
                self.bytes.truncate(self.body.end);
            }
            Some(_) => {
                let position = self.position(Header::ContentLength);
                flaw = flaw.or(Some(Fault::bad(position, "Content-Length Beyond The End")));
            }
            None => {}
        }
        if let Some(flaw) = flaw {
            note(&mut self.flaw, flaw);
        }
    }
}

/// Keeps the first flaw. A version that is not ours outweighs what it may explain.
fn note(flaw: &mut Option<Fault>, found: Fault) {
    if flaw.is_none_or(|first| found.status == 505 && first.status != 505) {
        *flaw = Some(found);
    }
}

impl StartLine {
    fn parse(bytes: &[u8], line: Range<usize>, flaw: &mut Option<Fault>) -> Result<Self, Fault> {
        let text = &bytes[line.clone()];
        if is_sip(text) {
            Self::status(text, &line)
        } else {
            Self::request(text, line.start, flaw)
        }
    }

    /// `Method SP Request-URI SP SIP-Version`. More white space than that is a flaw, not the end:
    /// its sender can be told (RFC 4475 sections 3.1.2.8 to 3.1.2.10).
    fn request(line: &[u8], start: usize, flaw: &mut Option<Fault>) -> Result<Self, Fault> {
        let malformed = Fault::bad(start, "Malformed Request Line");
        let text = trim_end(line);
        let space = |byte: &u8| text::is_space(*byte);
        let (Some(first), Some(last)) = (text.iter().position(space), text.iter().rposition(space))
        else {
            return Err(malformed);
        };
        let (name, version) = (&text[..first], &text[last + 1..]);
        if !is_token(name) || !is_sip(version) {
            return Err(malformed);
        }
        // Both are the same space when nothing is between them.
        let middle = text.get(first + 1..last).unwrap_or_default();
        let uri = trim(middle);
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            *flaw = Some(Fault {
                position: start + last + 1,
                status: 505,
                reason: "Version Not Supported",
            });
        } else if uri.is_empty() || uri.len() < middle.len() {
            *flaw = Some(Fault::bad(start + first, "Malformed Request-URI"));
        } else if text.len() < line.len() {
            *flaw = Some(Fault::bad(start + text.len(), "Malformed Request Line"));
        }
        let uri_start = start + first + 1 + text::offset(middle, uri);
        Ok(Self::Request {
            method: Method::of(name),
            name: start..start + first,
            uri: uri_start..uri_start + uri.len(),
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

/// Whether it begins as a SIP-Version does.
fn is_sip(text: &[u8]) -> bool {
    text.get(..4)
        .is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/"))
}
