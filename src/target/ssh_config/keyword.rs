//! The keywords, and what each of them takes.

/// What a keyword takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    Match,
    Include,
    HostName,
    User,
    Port,
    IdentityFile,
    CertificateFile,
    IdentityAgent,
    IdentitiesOnly,
    ProxyJump,
    ProxyCommand,
    HostKeyAlias,
    UserKnownHostsFile,
    GlobalKnownHostsFile,
    StrictHostKeyChecking,
    NoHostAuthenticationForLocalhost,
    KexAlgorithms,
    HostKeyAlgorithms,
    Ciphers,
    Macs,
    PubkeyAcceptedAlgorithms,
    PubkeyAuthentication,
    PasswordAuthentication,
    KbdInteractiveAuthentication,
    PreferredAuthentications,
    IgnoreUnknown,
    /// yes or no, of no consequence here.
    Flag,
    /// A number, of no consequence here.
    Number,
    /// One value, of no consequence here.
    One,
    /// Any values, of no consequence here.
    Many,
    /// Of consequence, and not followed: the manual's spelling, and the
    /// values that change nothing.
    Unfollowed(&'static str, &'static str),
}

impl Kind {
    /// Whether nothing may stand behind its value.
    pub(super) fn ends(self) -> bool {
        !matches!(self, Kind::Many)
    }

    pub(super) fn of(keyword: &str) -> Option<Kind> {
        use Kind::*;
        Some(match keyword {
            "host" => Host,
            "match" => Match,
            "include" => Include,
            "hostname" => HostName,
            "user" => User,
            "port" => Port,
            "identityfile" | "identityfile2" => IdentityFile,
            "certificatefile" => CertificateFile,
            "identityagent" => IdentityAgent,
            "identitiesonly" => IdentitiesOnly,
            "proxyjump" => ProxyJump,
            "proxycommand" => ProxyCommand,
            "hostkeyalias" => HostKeyAlias,
            "userknownhostsfile" => UserKnownHostsFile,
            "globalknownhostsfile" => GlobalKnownHostsFile,
            "stricthostkeychecking" => StrictHostKeyChecking,
            "ignoreunknown" => IgnoreUnknown,
            "addressfamily" => Unfollowed("AddressFamily", "any"),
            "bindaddress" => Unfollowed("BindAddress", ""),
            "bindinterface" => Unfollowed("BindInterface", ""),
            "canonicalizehostname" => Unfollowed("CanonicalizeHostname", "no false"),
            "casignaturealgorithms" => Unfollowed("CASignatureAlgorithms", ""),
            "ciphers" => Ciphers,
            "hostkeyalgorithms" => HostKeyAlgorithms,
            "kexalgorithms" => KexAlgorithms,
            "macs" => Macs,
            "pubkeyacceptedalgorithms" | "pubkeyacceptedkeytypes" => PubkeyAcceptedAlgorithms,
            "knownhostscommand" => Unfollowed("KnownHostsCommand", "none"),
            "nohostauthenticationforlocalhost" => NoHostAuthenticationForLocalhost,
            "passwordauthentication" => PasswordAuthentication,
            "pkcs11provider" | "smartcarddevice" => Unfollowed("PKCS11Provider", "none"),
            "preferredauthentications" => PreferredAuthentications,
            "kbdinteractiveauthentication"
            | "challengeresponseauthentication"
            | "skeyauthentication"
            | "tisauthentication" => KbdInteractiveAuthentication,
            "proxyusefdpass" => Unfollowed("ProxyUseFdpass", "no false"),
            "pubkeyauthentication" | "dsaauthentication" => PubkeyAuthentication,
            "revokedhostkeys" => Unfollowed("RevokedHostKeys", "none"),
            "verifyhostkeydns" => Unfollowed("VerifyHostKeyDNS", "no false ask"),
            "refuseconnection" => Unfollowed("RefuseConnection", ""),
            "batchmode"
            | "canonicalizefallbacklocal"
            | "checkhostip"
            | "clearallforwardings"
            | "compression"
            | "enableescapecommandline"
            | "enablesshkeysign"
            | "exitonforwardfailure"
            | "forkafterauthentication"
            | "forwardx11"
            | "forwardx11trusted"
            | "gatewayports"
            | "gssapiauthentication"
            | "gssapidelegatecredentials"
            | "gssapikeyexchange"
            | "gssapirenewalforcesrekey"
            | "gssapitrustdns"
            | "hashknownhosts"
            | "hostbasedauthentication"
            | "permitlocalcommand"
            | "stdinnull"
            | "streamlocalbindunlink"
            | "tcpkeepalive"
            | "keepalive"
            | "visualhostkey" => Flag,
            "canonicalizemaxdots"
            | "connectionattempts"
            | "numberofpasswordprompts"
            | "serveralivecountmax"
            | "requiredrsasize" => Number,
            "connecttimeout"
            | "serveraliveinterval"
            | "forwardx11timeout"
            | "controlmaster"
            | "controlpath"
            | "controlpersist"
            | "dynamicforward"
            | "escapechar"
            | "fingerprinthash"
            | "forwardagent"
            | "gssapiclientidentity"
            | "gssapikexalgorithms"
            | "gssapiserveridentity"
            | "hostbasedacceptedalgorithms"
            | "hostbasedkeytypes"
            | "loglevel"
            | "obscurekeystroketiming"
            | "requesttty"
            | "securitykeyprovider"
            | "sessiontype"
            | "streamlocalbindmask"
            | "syslogfacility"
            | "tag"
            | "tunnel"
            | "tunneldevice"
            | "updatehostkeys"
            | "warnweakcrypto"
            | "versionaddendum"
            | "xauthlocation" => One,
            "addkeystoagent"
            | "canonicaldomains"
            | "canonicalizepermittedcnames"
            | "channeltimeout"
            | "ipqos"
            | "kbdinteractivedevices"
            | "localcommand"
            | "localforward"
            | "logverbose"
            | "permitremoteopen"
            | "rekeylimit"
            | "remotecommand"
            | "remoteforward"
            | "sendenv"
            | "setenv" => Many,
            // Retired, and read as nothing.
            "afstokenpassing"
            | "cipher"
            | "fallbacktorsh"
            | "globalknownhostsfile2"
            | "kerberosauthentication"
            | "kerberostgtpassing"
            | "protocol"
            | "compressionlevel"
            | "rhostsauthentication"
            | "rhostsrsaauthentication"
            | "rsaauthentication"
            | "useprivilegedport"
            | "userknownhostsfile2"
            | "useroaming"
            | "usersh"
            | "debianbanner" => Many,
            #[cfg(target_os = "macos")]
            "usekeychain" => Flag,
            _ => return None,
        })
    }
}
