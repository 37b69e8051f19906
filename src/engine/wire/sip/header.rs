//! Names of header fields and methods.

macro_rules! headers {
    ($($variant:ident $name:literal $compact:tt,)*) => {
        /// A header field that something in the product reads or writes by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the variants are the names of RFC 3261 section 20 and others")]
        pub enum Header {
            $($variant,)*
            /// Any other; it passes unchanged.
            Other,
        }

        impl Header {
            /// Its name as written; empty for [`Header::Other`].
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other => "",
                }
            }

            fn long(name: &[u8]) -> Self {
                $(if name.eq_ignore_ascii_case($name.as_bytes()) { return Self::$variant; })*
                Self::Other
            }

            fn compact(letter: u8) -> Self {
                $(if headers!(@compact $compact) == Some(letter) { return Self::$variant; })*
                Self::Other
            }
        }
    };
    (@compact -) => { None::<u8> };
    (@compact $letter:literal) => { Some($letter) };
}

headers! {
    Via "Via" b'v',
    From "From" b'f',
    To "To" b't',
    CallId "Call-ID" b'i',
    CSeq "CSeq" -,
    Contact "Contact" b'm',
    MaxForwards "Max-Forwards" -,
    ContentLength "Content-Length" b'l',
    Route "Route" -,
    RecordRoute "Record-Route" -,
    Path "Path" -,
    Expires "Expires" -,
    Require "Require" -,
    ProxyRequire "Proxy-Require" -,
    Supported "Supported" b'k',
    Unsupported "Unsupported" -,
    UserAgent "User-Agent" -,
    Authorization "Authorization" -,
    ProxyAuthorization "Proxy-Authorization" -,
    WwwAuthenticate "WWW-Authenticate" -,
    ProxyAuthenticate "Proxy-Authenticate" -,
    ContentType "Content-Type" b'c',
    Event "Event" b'o',
    Allow "Allow" -,
    Accept "Accept" -,
    MinExpires "Min-Expires" -,
    RetryAfter "Retry-After" -,
    ServiceRoute "Service-Route" -,
    Server "Server" -,
    Date "Date" -,
    Warning "Warning" -,
    ReferTo "Refer-To" b'r',
    Replaces "Replaces" -,
    Subject "Subject" b's',
}

impl Header {
    /// The header field that a name means, in long or compact form, without regard to case.
    pub fn of(name: &[u8]) -> Self {
        match name {
            [letter] => Self::compact(letter.to_ascii_lowercase()),
            _ => Self::long(name),
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
}

macro_rules! methods {
    ($($variant:ident $name:literal,)*) => {
        /// A request method; case matters (RFC 3261 section 7.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the variants are the methods' names")]
        pub enum Method {
            $($variant,)*
            /// Any other; proxied like a non-INVITE request.
            Other,
        }

        impl Method {
            /// Its name; empty for [`Method::Other`].
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other => "",
                }
            }

            /// The method of this name.
            pub fn of(name: &[u8]) -> Self {
                $(if name == $name.as_bytes() { return Self::$variant; })*
                Self::Other
            }
        }
    };
}

methods! {
    Invite "INVITE",
    Ack "ACK",
    Bye "BYE",
    Cancel "CANCEL",
    Register "REGISTER",
    Options "OPTIONS",
    Prack "PRACK",
    Update "UPDATE",
    Info "INFO",
    Message "MESSAGE",
    Refer "REFER",
    Subscribe "SUBSCRIBE",
    Notify "NOTIFY",
    Publish "PUBLISH",
}
