//! The keywords, and what each of them takes.

use super::forward::{self, Forward};
use super::names::AlgorithmList;
use super::values::{self, ValueShape};

/// What a keyword takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueKind {
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
    ProxyUseFdpass,
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
    AddressFamily,
    BindAddress,
    BindInterface,
    Tag,
    KnownHostsCommand,
    RequiredRsaSize,
    ServerAliveInterval,
    TcpKeepAlive,
    RevokedHostKeys,
    CaSignatureAlgorithms,
    RefuseConnection,
    CheckHostIp,
    ControlPath,
    ConnectionAttempts,
    CanonicalDomains,
    /// Of no consequence here, but for what ssh stops at.
    Shaped(ValueShape),
    /// A list of algorithms of no consequence here.
    Names(AlgorithmList),
    /// One value, of no consequence here.
    One,
    /// Any values, of no consequence here.
    Many,
    /// Of consequence, and not followed: the manual's spelling, and the
    /// values that change nothing.
    Unfollowed(&'static str, &'static str),
}

impl ValueKind {
    /// Whether nothing may stand behind its value.
    pub(super) fn ends(self) -> bool {
        !matches!(self, ValueKind::Many)
    }

    pub(super) fn of(keyword: &str) -> Option<ValueKind> {
        use ValueKind::*;
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
            "addressfamily" => AddressFamily,
            "requiredrsasize" => RequiredRsaSize,
            "serveraliveinterval" => ServerAliveInterval,
            "tcpkeepalive" | "keepalive" => TcpKeepAlive,
            "checkhostip" => CheckHostIp,
            "bindaddress" => BindAddress,
            "tag" => Tag,
            "bindinterface" => BindInterface,
            "canonicalizehostname" => Unfollowed("CanonicalizeHostname", "no false"),
            "casignaturealgorithms" => CaSignatureAlgorithms,
            "ciphers" => Ciphers,
            "hostkeyalgorithms" => HostKeyAlgorithms,
            "kexalgorithms" => KexAlgorithms,
            "macs" => Macs,
            "pubkeyacceptedalgorithms" | "pubkeyacceptedkeytypes" => PubkeyAcceptedAlgorithms,
            "knownhostscommand" => KnownHostsCommand,
            "nohostauthenticationforlocalhost" => NoHostAuthenticationForLocalhost,
            "passwordauthentication" => PasswordAuthentication,
            "pkcs11provider" | "smartcarddevice" => Unfollowed("PKCS11Provider", "none"),
            "preferredauthentications" => PreferredAuthentications,
            "kbdinteractiveauthentication"
            | "challengeresponseauthentication"
            | "skeyauthentication"
            | "tisauthentication" => KbdInteractiveAuthentication,
            "proxyusefdpass" => ProxyUseFdpass,
            "pubkeyauthentication" | "dsaauthentication" => PubkeyAuthentication,
            "revokedhostkeys" => RevokedHostKeys,
            "verifyhostkeydns" => Unfollowed("VerifyHostKeyDNS", "no false ask"),
            "refuseconnection" => RefuseConnection,
            "batchmode"
            | "canonicalizefallbacklocal"
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
            | "visualhostkey" => Shaped(ValueShape::Flag("")),
            "canonicalizemaxdots" | "numberofpasswordprompts" | "serveralivecountmax" => {
                Shaped(ValueShape::Number)
            }
            "controlpath" => ControlPath,
            "connectionattempts" => ConnectionAttempts,
            "forwardagent"
            | "gssapiclientidentity"
            | "gssapikexalgorithms"
            | "gssapiserveridentity"
            | "kbdinteractivedevices"
            | "obscurekeystroketiming"
            | "securitykeyprovider"
            | "warnweakcrypto"
            | "versionaddendum"
            | "xauthlocation" => One,
            "connecttimeout" => Shaped(ValueShape::Time("none")),
            "forwardx11timeout" => Shaped(ValueShape::Time("none")),
            "controlpersist" => Shaped(ValueShape::Time("yes no true false")),
            "controlmaster" => Shaped(ValueShape::Flag("auto ask autoask")),
            "requesttty" => Shaped(ValueShape::Flag("auto force")),
            "updatehostkeys" => Shaped(ValueShape::Flag("ask")),
            "tunnel" => Shaped(ValueShape::Flag("ethernet point-to-point")),
            "sessiontype" => Shaped(ValueShape::Word("none subsystem default")),
            "fingerprinthash" => Shaped(ValueShape::Word("md5 sha1 sha256 sha384 sha512")),
            "loglevel" => Shaped(ValueShape::Word(
                "quiet fatal error info verbose debug debug1 debug2 debug3",
            )),
            "syslogfacility" => Shaped(ValueShape::Word(
                "daemon user auth authpriv local0 local1 local2 local3 local4 local5 local6 local7",
            )),
            "setenv" => Shaped(ValueShape::Variables),
            "localforward" => Shaped(ValueShape::Fits(2, |w| forward::fits(Forward::Local, w))),
            "remoteforward" => Shaped(ValueShape::Fits(2, |w| forward::fits(Forward::Remote, w))),
            "dynamicforward" => Shaped(ValueShape::Fits(1, |w| forward::fits(Forward::Dynamic, w))),
            "permitremoteopen" => Shaped(ValueShape::Fits(usize::MAX, forward::opens)),
            "addkeystoagent" => Shaped(ValueShape::Fits(2, values::agent_keys)),
            "rekeylimit" => Shaped(ValueShape::Fits(2, values::rekey_limit)),
            "ipqos" => Shaped(ValueShape::Fits(2, values::qualities)),
            "sendenv" => Shaped(ValueShape::Fits(usize::MAX, values::names)),
            "escapechar" => Shaped(ValueShape::Fits(1, values::escape)),
            "tunneldevice" => Shaped(ValueShape::Fits(1, values::device)),
            "streamlocalbindmask" => Shaped(ValueShape::Fits(1, values::mask)),
            "canonicaldomains" => CanonicalDomains,
            "canonicalizepermittedcnames" => Unfollowed("CanonicalizePermittedCNAMEs", "none"),
            "hostbasedacceptedalgorithms" | "hostbasedkeytypes" => Names(AlgorithmList::Signature),
            "channeltimeout" | "localcommand" | "logverbose" | "remotecommand" => Many,
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
            | "usersh" => Many,
            #[cfg(target_os = "macos")]
            "usekeychain" => Shaped(ValueShape::Flag("")),
            _ => return None,
        })
    }
}
