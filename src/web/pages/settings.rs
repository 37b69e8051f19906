//! Pages that are nothing but items of the schema: one entry in a table each.

use maud::{Markup, html};

use crate::web::form::{self, Faults, Values};

/// A page of items.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Its path.
    pub(crate) path: &'static str,
    /// Its title.
    pub(crate) title: &'static str,
    /// Groups of fields: heading, then item and label.
    groups: &'static [(&'static str, &'static [(&'static str, &'static str)])],
}

/// All of them, at the guide's places.
pub(crate) const SETTINGS: &[Settings] = &[
    Settings {
        path: "/system/administration",
        title: "Administration",
        groups: &[
            (
                "This system",
                &[
                    ("SystemUnit Name", "System name"),
                    ("SystemUnit Maintenance Mode", "Maintenance mode"),
                ],
            ),
            (
                "Web pages and sessions",
                &[
                    ("Administration HTTPS Mode", "Web pages over HTTPS"),
                    ("Management Interface Port", "Port of the web pages"),
                    (
                        "Management Session InactivityTimeout",
                        "Session time-out (minutes)",
                    ),
                ],
            ),
            ("Logging", &[("Logging Level", "Log level")]),
        ],
    },
    Settings {
        path: "/system/network",
        title: "Network interfaces",
        groups: &[
            (
                "Protocol and gateway",
                &[
                    ("IPProtocol", "IP protocol"),
                    ("IP Gateway", "IPv4 gateway"),
                    ("IP V6 Gateway", "IPv6 gateway"),
                ],
            ),
            (
                "LAN1",
                &[
                    ("Ethernet 1 IP V4 Address", "IPv4 address"),
                    ("Ethernet 1 IP V4 SubnetMask", "IPv4 subnet mask"),
                    ("Ethernet 1 IP V6 Address", "IPv6 address"),
                    ("Ethernet 1 IP V6 PrefixLength", "IPv6 prefix length"),
                    ("Ethernet 1 MTU", "Largest packet (bytes)"),
                ],
            ),
            (
                "LAN2",
                &[
                    ("Ethernet 2 IP V4 Address", "IPv4 address"),
                    ("Ethernet 2 IP V4 SubnetMask", "IPv4 subnet mask"),
                    ("Ethernet 2 IP V6 Address", "IPv6 address"),
                    ("Ethernet 2 IP V6 PrefixLength", "IPv6 prefix length"),
                    ("Ethernet 2 MTU", "Largest packet (bytes)"),
                ],
            ),
        ],
    },
    Settings {
        path: "/system/dns",
        title: "DNS",
        groups: &[
            (
                "This system",
                &[
                    ("IP DNS Hostname", "System host name"),
                    ("IP DNS Domain Name", "Domain name"),
                ],
            ),
            (
                "Default DNS servers",
                &[
                    ("DNS Server 1 Address", "Address 1"),
                    ("DNS Server 2 Address", "Address 2"),
                    ("DNS Server 3 Address", "Address 3"),
                    ("DNS Server 4 Address", "Address 4"),
                    ("DNS Server 5 Address", "Address 5"),
                ],
            ),
        ],
    },
    Settings {
        path: "/system/time",
        title: "Time",
        groups: &[
            (
                "NTP servers",
                &[
                    ("NTP Server 1 Address", "NTP server 1"),
                    ("NTP Server 2 Address", "NTP server 2"),
                    ("NTP Server 3 Address", "NTP server 3"),
                    ("NTP Server 4 Address", "NTP server 4"),
                    ("NTP Server 5 Address", "NTP server 5"),
                ],
            ),
            ("Time zone", &[("TimeZone Name", "Time zone")]),
        ],
    },
    Settings {
        path: "/configuration/sip",
        title: "SIP",
        groups: &[
            (
                "Transport",
                &[
                    ("SIP Mode", "SIP mode"),
                    ("SIP UDP Mode", "UDP mode"),
                    ("SIP UDP Port", "UDP port"),
                    ("SIP TCP Mode", "TCP mode"),
                    ("SIP TCP Port", "TCP port"),
                    (
                        "SIP Advanced SipMaxSize",
                        "Longest message over TCP (bytes)",
                    ),
                ],
            ),
            (
                "Registration",
                &[
                    (
                        "SIP Registration Standard Refresh Minimum",
                        "Shortest registration (s)",
                    ),
                    (
                        "SIP Registration Standard Refresh Maximum",
                        "Longest registration (s)",
                    ),
                ],
            ),
        ],
    },
    Settings {
        path: "/configuration/domains",
        title: "Domains",
        groups: &[(
            "Domains whose addresses may register here",
            &[
                ("SIP Domain 1 Name", "Domain 1"),
                ("SIP Domain 2 Name", "Domain 2"),
                ("SIP Domain 3 Name", "Domain 3"),
                ("SIP Domain 4 Name", "Domain 4"),
                ("SIP Domain 5 Name", "Domain 5"),
                ("SIP Domain 6 Name", "Domain 6"),
                ("SIP Domain 7 Name", "Domain 7"),
                ("SIP Domain 8 Name", "Domain 8"),
            ],
        )],
    },
];

impl Settings {
    /// All items of the page.
    pub(crate) fn paths(&self) -> Vec<String> {
        let items = self.groups.iter().flat_map(|(_, items)| *items);
        items.map(|(path, _)| (*path).to_owned()).collect()
    }

    /// The content of the page.
    pub(crate) fn content(&self, values: &Values, faults: Faults<'_>, form_token: &str) -> Markup {
        html! {
            (faults.summary(&self.paths()))
            form method="post" action=(self.path) {
                input type="hidden" name="form" value=(form_token);
                @for (number, (heading, items)) in self.groups.iter().enumerate() {
                    section.card aria-labelledby={ "group-" (number) } {
                        div.head { h2 id={ "group-" (number) } { (heading) } }
                        div.fields {
                            @for (path, label) in *items {
                                (form::field(path, label, values, faults))
                            }
                        }
                    }
                }
                div.actions {
                    button type="submit" { "Save" }
                    p.hint { "† belongs to this peer alone and is not replicated." }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use causeway_engine::config::path::Path;

    #[test]
    fn every_item_is_in_the_schema() {
        for page in SETTINGS {
            for path in page.paths() {
                let parsed = Path::parse(&path).map(|path| path.to_string());
                assert_eq!(parsed.as_ref(), Ok(&path), "{}", page.path);
            }
        }
    }
}
