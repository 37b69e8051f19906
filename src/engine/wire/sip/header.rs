//! Names of header fields and methods.

/// Slots of the table that finds a name; a power of two.
const SLOTS: usize = 512;

macro_rules! headers {
    ($($id:ident $text:literal $($compact:literal)?,)*) => {
        /// A header field by its name (RFC 3261 section 20 and the registry that follows it).
        ///
        /// Names compare without regard to case, compact forms are the same name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Header {
            $(#[doc = $text] $id,)*
            /// Any other; it passes unchanged.
            Other,
        }

        impl Header {
            /// All known names in the order of the enumeration.
            const ALL: &'static [Self] = &[$(Self::$id,)*];

            /// Its name as written; empty for [`Header::Other`].
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$id => $text,)*
                    Self::Other => "",
                }
            }

            /// The name that a single letter stands for.
            const fn of_letter(letter: u8) -> Self {
                match letter.to_ascii_lowercase() {
                    $($($compact => Self::$id,)?)*
                    _ => Self::Other,
                }
            }
        }
    };
}

headers! {
    Accept "Accept",
    AcceptContact "Accept-Contact" b'a',
    AcceptEncoding "Accept-Encoding",
    AcceptLanguage "Accept-Language",
    AlertInfo "Alert-Info",
    Allow "Allow",
    AllowEvents "Allow-Events" b'u',
    AuthenticationInfo "Authentication-Info",
    Authorization "Authorization",
    CallId "Call-ID" b'i',
    CallInfo "Call-Info",
    Contact "Contact" b'm',
    ContentDisposition "Content-Disposition",
    ContentEncoding "Content-Encoding" b'e',
    ContentLanguage "Content-Language",
    ContentLength "Content-Length" b'l',
    ContentType "Content-Type" b'c',
    CSeq "CSeq",
    Date "Date",
    ErrorInfo "Error-Info",
    Event "Event" b'o',
    Expires "Expires",
    FlowTimer "Flow-Timer",
    From "From" b'f',
    HistoryInfo "History-Info",
    Identity "Identity" b'y',
    IdentityInfo "Identity-Info" b'n',
    InReplyTo "In-Reply-To",
    Join "Join",
    MaxBreadth "Max-Breadth",
    MaxForwards "Max-Forwards",
    MimeVersion "MIME-Version",
    MinExpires "Min-Expires",
    MinSe "Min-SE",
    Organization "Organization",
    PAccessNetworkInfo "P-Access-Network-Info",
    PAssertedIdentity "P-Asserted-Identity",
    PPreferredIdentity "P-Preferred-Identity",
    Path "Path",
    Priority "Priority",
    Privacy "Privacy",
    ProxyAuthenticate "Proxy-Authenticate",
    ProxyAuthorization "Proxy-Authorization",
    ProxyRequire "Proxy-Require",
    RAck "RAck",
    Reason "Reason",
    RecordRoute "Record-Route",
    ReferTo "Refer-To" b'r',
    ReferredBy "Referred-By" b'b',
    RejectContact "Reject-Contact" b'j',
    RemotePartyId "Remote-Party-ID",
    Replaces "Replaces",
    ReplyTo "Reply-To",
    RequestDisposition "Request-Disposition" b'd',
    Require "Require",
    RetryAfter "Retry-After",
    Route "Route",
    RSeq "RSeq",
    Server "Server",
    ServiceRoute "Service-Route",
    SessionExpires "Session-Expires" b'x',
    SipEtag "SIP-ETag",
    SipIfMatch "SIP-If-Match",
    Subject "Subject" b's',
    SubscriptionState "Subscription-State",
    Supported "Supported" b'k',
    Timestamp "Timestamp",
    To "To" b't',
    Unsupported "Unsupported",
    UserAgent "User-Agent",
    Via "Via" b'v',
    Warning "Warning",
    WwwAuthenticate "WWW-Authenticate",
}

/// Where each name lies; made when the program is built.
static TABLE: [Header; SLOTS] = table();

impl Header {
    /// The name that `bytes` spell, long or compact, in any case.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [] => Self::Other,
            [letter] => Self::of_letter(*letter),
            _ => {
                let found = TABLE[slot(bytes)];
                if found.name().as_bytes().eq_ignore_ascii_case(bytes) {
                    found
                } else {
                    Self::Other
                }
            }
        }
    }

    /// Whether a message has at most one such field (RFC 3261 table 2).
    pub const fn is_single(self) -> bool {
        matches!(
            self,
            Self::From
                | Self::To
                | Self::CallId
                | Self::CSeq
                | Self::MaxForwards
                | Self::ContentLength
                | Self::Expires
        )
    }

    /// The bit that stands for this name in a set.
    pub(super) const fn bit(self) -> u128 {
        1 << self as u8
    }
}

/// The slot of a name that is not empty. The factors keep the known names apart.
const fn slot(name: &[u8]) -> usize {
    let first = name[0].to_ascii_lowercase() as usize;
    let middle = name[name.len() / 2].to_ascii_lowercase() as usize;
    let last = name[name.len() - 1].to_ascii_lowercase() as usize;
    (name.len() * 61 + first * 111 + last * 110 + middle * 20) % SLOTS
}

const fn table() -> [Header; SLOTS] {
    let mut table = [Header::Other; SLOTS];
    let mut next = 0;
    while next < Header::ALL.len() {
        let name = Header::ALL[next];
        let slot = slot(name.name().as_bytes());
        assert!(matches!(table[slot], Header::Other), "two names, one slot");
        table[slot] = name;
        next += 1;
    }
    table
}

macro_rules! methods {
    ($($id:ident $text:literal $source:literal,)*) => {
        /// A request method. Unlike header names, methods are case-sensitive.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $(#[doc = $source] $id,)*
            /// Any other; proxied like a non-INVITE request.
            Other,
        }

        impl Method {
            /// The method that `bytes` spell.
            pub fn of(bytes: &[u8]) -> Self {
                $(if bytes == $text.as_bytes() { return Self::$id; })*
                Self::Other
            }

            /// Its name; empty for [`Method::Other`].
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$id => $text,)*
                    Self::Other => "",
                }
            }
        }
    };
}

methods! {
    Invite "INVITE" "RFC 3261",
    Ack "ACK" "RFC 3261",
    Bye "BYE" "RFC 3261",
    Cancel "CANCEL" "RFC 3261",
    Register "REGISTER" "RFC 3261",
    Options "OPTIONS" "RFC 3261",
    Prack "PRACK" "RFC 3262",
    Update "UPDATE" "RFC 3311",
    Info "INFO" "RFC 6086",
    Message "MESSAGE" "RFC 3428",
    Subscribe "SUBSCRIBE" "RFC 6665",
    Notify "NOTIFY" "RFC 6665",
    Refer "REFER" "RFC 3515",
    Publish "PUBLISH" "RFC 3903",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_itself_in_any_case() {
        for name in Header::ALL {
            assert_eq!(Header::of(name.name().as_bytes()), *name);
            let upper = name.name().to_ascii_uppercase();
            assert_eq!(Header::of(upper.as_bytes()), *name);
            let longer = alloc::format!("{upper}x");
            assert_eq!(Header::of(longer.as_bytes()), Header::Other);
        }
    }

    #[test]
    fn compact_forms_are_the_registered_ones() {
        let pairs = [
            ("a", "Accept-Contact"),
            ("b", "Referred-By"),
            ("c", "Content-Type"),
            ("d", "Request-Disposition"),
            ("e", "Content-Encoding"),
            ("f", "From"),
            ("i", "Call-ID"),
            ("j", "Reject-Contact"),
            ("k", "Supported"),
            ("l", "Content-Length"),
            ("m", "Contact"),
            ("n", "Identity-Info"),
            ("o", "Event"),
            ("r", "Refer-To"),
            ("s", "Subject"),
            ("t", "To"),
            ("u", "Allow-Events"),
            ("v", "Via"),
            ("x", "Session-Expires"),
            ("y", "Identity"),
        ];
        for (compact, long) in pairs {
            assert_eq!(Header::of(compact.as_bytes()).name(), long);
            let upper = compact.to_ascii_uppercase();
            assert_eq!(Header::of(upper.as_bytes()).name(), long);
        }
        assert_eq!(Header::of(b"z"), Header::Other);
        assert_eq!(Header::of(b""), Header::Other);
    }

    #[test]
    fn methods_are_case_sensitive() {
        assert_eq!(Method::of(b"INVITE"), Method::Invite);
        assert_eq!(Method::of(b"invite"), Method::Other);
        assert_eq!(Method::Publish.name(), "PUBLISH");
    }
}
