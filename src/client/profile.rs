//! What each driver does, from the files in `knowledge/drivers`, whose README explains
//! the keys and names the sources.

use super::version::Version;

include!(concat!(env!("OUT_DIR"), "/drivers.rs"));

/// A driver in one variant, up to one release, and what it does where that is not what
/// libpq does.
#[derive(Debug)]
pub struct Profile {
    /// Its name, as `--as` takes it and reports show it.
    pub name: &'static str,
    /// What else it is called.
    pub called: &'static [&'static str],
    /// The language of its applications.
    pub language: &'static str,
    /// The version that is judged where none is given.
    pub version: &'static str,
    /// The variant that this is of.
    pub connector: Option<&'static str>,
    /// What may stand behind a slash: the part of the driver that does TLS, or a switch
    /// that changes how it reads everything else.
    pub connectors: &'static [&'static str],
    /// The first release that this does not describe.
    pub below: Option<&'static str>,
    /// Where its documentation or source is.
    pub source: &'static str,
    /// The version whose behaviour was measured; none where the rules were only read.
    pub measured: Option<&'static str>,
    /// The release of libpq that it is linked with: all that is not said here is as there.
    pub libpq: Option<&'static str>,
    /// How it reads a URL.
    pub url: Reader,
    /// Whether it looks for a unix socket where no host is given; else it takes `localhost`.
    pub socket_default: bool,
    /// The user where none is given.
    pub user: DefaultUser,
    /// Whether it takes several hosts, and after what it goes on to the next.
    pub hosts: Hosts,
    /// Which addresses of a name it tries.
    pub addresses: Addresses,
    /// The variables that it reads, with libpq's keyword for each.
    pub environment: &'static [(&'static str, &'static str)],
    /// Variables that it does not connect with.
    pub refused_variables: &'static [&'static str],
    /// The parameters that mean to it what they mean to libpq.
    pub understood: &'static [&'static str],
    /// Its own names for libpq's keywords.
    pub renamed: &'static [(&'static str, &'static str)],
    /// Parameters of its own that libpq has nothing for.
    pub own: &'static [&'static str],
    /// Parameters of its own that it does not pass on where it passes on the others, and
    /// does not use either.
    pub never_sent: &'static [&'static str],
    /// Parameters that it lets go silently where it refuses the others.
    pub dropped: &'static [&'static str],
    /// The values that it takes for a parameter, where it takes fewer than libpq.
    pub values: &'static [(&'static str, &'static [&'static str])],
    /// Whether it refuses a number that is none.
    pub strict_numbers: bool,
    /// What becomes of every other parameter.
    pub other: Option<Fate>,
    /// What it says of a parameter that it refuses: `{parameter}` is its name.
    pub refused: Option<&'static str>,
    /// Whether it reads the password file.
    pub passfile: Passfile,
    /// Whether it reads a service file.
    pub service: bool,
    /// What it does about TLS.
    pub tls: Tls,
    /// What it does to a password before it hashes it.
    pub saslprep: Saslprep,
    /// Whether it does channel binding.
    pub channel_binding: Binding,
    /// What it says of an empty password.
    pub empty_password: Option<&'static str>,
    /// What it puts into the start-up message beside user and database.
    pub startup: &'static [(&'static str, &'static str)],
    /// After how many seconds it gives up connecting, where nothing says so; none: never.
    pub connect_timeout: Option<u32>,
    /// Its TCP keepalives, in words.
    pub keepalive: Option<&'static str>,
    /// Its prepared statements, in words; none where it names none.
    pub statements: Option<&'static str>,
    /// What it prints, by dbdoctor's cause or its family, with holes for values.
    pub texts: &'static [(&'static str, &'static str)],
    /// What to do, by cause, in its own spelling.
    pub cures: &'static [(&'static str, &'static str)],
}

/// How a driver reads a URL or a connection string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// As libpq.
    Libpq,
    /// `pg-connection-string`: WHATWG's URL.
    Node,
    /// postgres.js: WHATWG's URL, with several hosts.
    PostgresJs,
    /// Python's `urllib.parse`.
    Asyncpg,
    /// `jdbc:postgresql:`.
    Jdbc,
    /// tokio-postgres.
    TokioPostgres,
    /// The `url` crate.
    Sqlx,
    /// Go's `net/url`.
    Go,
    /// None: the application hands over one argument for each part.
    Keywords,
    /// `Host=…;Username=…`.
    Dotnet,
    /// Prisma's engine.
    Prisma,
    /// Ecto's `parse_url`.
    Ecto,
}

/// Whose name a driver takes where no user is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultUser {
    /// The account's.
    Account,
    /// The variable `USER`'s, else the account's.
    Environment,
    /// The variable `USER`'s alone.
    VariableOnly,
    /// `LOGNAME`'s, `USER`'s, else the account's.
    LognameFirst,
    /// Nobody's.
    Nobody,
}

/// After what a driver goes on to the next host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// As libpq: name, connect, time, 57P03, role.
    Libpq,
    /// It takes one host.
    One,
    /// A connection that is refused or not answered.
    Refused,
    /// As libpq, and after a failure of TLS.
    Tls,
    /// Any failure.
    Any,
    /// Any but a wrong password, a missing database or privilege.
    Pgx,
}

/// Which addresses of a name a driver tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// All, in turn.
    All,
    /// The first one alone, IPv4 before IPv6.
    FirstIpv4,
}

/// What becomes of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The driver does nothing about it, and says nothing.
    Ignored,
    /// It is sent to the server, which refuses what is no setting of its own.
    Sent,
    /// The driver does not connect.
    Refused,
}

/// Whether a driver reads the password file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passfile {
    /// No.
    Never,
    /// Where nobody else may read it.
    Closed,
    /// Whoever may read it.
    Open,
}

/// What a driver does to a password before it hashes it (RFC 4013).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saslprep {
    /// All of SASLprep.
    Full,
    /// Nothing.
    Skipped,
    /// Go's precis: canonical composition and blanks, no compatibility forms.
    Precis,
}

/// Whether a driver does channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// No.
    Never,
    /// As the parameter says.
    Parameter,
    /// Wherever it can.
    Prefer,
}

/// How a driver uses TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It does not ask for it.
    Off,
    /// In clear first, with TLS where the server insists.
    ClearFirst,
    /// Where the server offers it, verifying nothing.
    Prefer,
    /// Where the server offers it, verifying chain and name.
    PreferVerified,
    /// Always, verifying nothing.
    Unverified,
    /// Always, verifying the chain where there is a root file.
    ChainIfRoot,
    /// Always, verifying the chain where a root file is named.
    ChainIfNamed,
    /// Always, verifying the chain.
    Chain,
    /// Always, verifying chain and name.
    Full,
}

/// Whom a driver trusts where it verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The root file, and nobody without one.
    File,
    /// The system's authorities.
    System,
    /// Mozilla's list, compiled in.
    Mozilla,
    /// The root file in place of the system's.
    FileOrSystem,
    /// The root file in place of Mozilla's.
    FileOrMozilla,
    /// The system's and the root file.
    SystemAndFile,
    /// Mozilla's and the root file.
    MozillaAndFile,
    /// Nobody.
    Nothing,
}

/// After what a driver that prefers TLS tries once more in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After a handshake or a login that failed.
    Libpq,
    /// Never.
    Nothing,
    /// After a login that `pg_hba.conf` refused.
    Refusal,
    /// After anything, once TLS stands.
    Established,
    /// After anything but a wrong password, a missing database or privilege.
    Pgx5,
    /// After anything but a refusal by `pg_hba.conf`.
    Pgx4,
}

/// When a root file that is named and not there ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Where it is to verify.
    Verifying,
    /// Where it asks for TLS.
    Asking,
    /// Where it insists on TLS.
    Demanding,
    /// Whatever it does.
    Always,
}

/// Who does TLS for a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Stack {
    Openssl,
    NativeTls,
    Python,
    Node,
    Go,
    Rustls,
    Java,
    Dotnet,
    Erlang,
}

/// What a driver does about TLS.
#[derive(Debug)]
pub struct Tls {
    /// Where nothing is set.
    pub absent: Plan,
    /// By the word of `sslmode`.
    pub modes: &'static [(&'static str, Plan)],
    /// By the word of `ssl`.
    pub ssl: &'static [(&'static str, Plan)],
    /// For any other word; none where it is refused.
    pub other: Option<Plan>,
    /// Whether the words are read whatever their case.
    pub any_case: bool,
    /// Whom it trusts.
    pub trust: Trust,
    /// Whether it reads `~/.postgresql/root.crt`.
    pub home_root: bool,
    /// Whether it reads `~/.postgresql/postgresql.crt` and `.key`.
    pub home_certificate: bool,
    /// Whether it reads `sslrootcert`.
    pub reads_root: bool,
    /// When a root file that is not there ends it.
    pub missing_root: Missing,
    /// After what it tries once more in clear.
    pub retry: Retry,
    /// Whether it asks for TLS on a unix socket too.
    pub on_sockets: bool,
    /// Who does it.
    pub stack: Stack,
}

impl Profile {
    /// Every driver in its present release and usual variant, libpq first.
    pub fn all() -> impl Iterator<Item = &'static Profile> {
        PROFILES.iter().filter_map(|of_one| of_one.first())
    }

    /// libpq's own.
    pub fn libpq() -> &'static Profile {
        &PROFILES[0][0]
    }

    /// The driver of this name, whatever its case.
    pub fn of(name: &str) -> Option<&'static Profile> {
        let is = |known: &&str| known.eq_ignore_ascii_case(name);
        Self::all().find(|profile| is(&profile.name) || profile.called.iter().any(&is))
    }

    /// What this variant did in this version.
    pub fn at(name: &str, connector: Option<&str>, version: Version) -> Option<&'static Profile> {
        let of_one = PROFILES.iter().find(|of_one| of_one[0].name == name)?;
        let before = |profile: &&Profile| {
            let below = profile.below.and_then(Version::parse);
            below.is_none_or(|below| !version.at_least(below))
        };
        let of_it = || of_one.iter().filter(|it| it.connector == connector);
        // The nearest limit counts.
        of_it()
            .filter(|it| it.below.is_some())
            .filter(before)
            .min_by_key(|it| it.below.and_then(Version::parse))
            .or_else(|| of_it().find(|it| it.below.is_none()))
    }

    /// Whether this describes the releases before this one.
    pub fn is_below(&self, limit: &str) -> bool {
        self.below == Some(limit)
    }

    /// Whether this library does TLS for it.
    pub fn stack_is(&self, stack: Stack) -> bool {
        self.tls.stack == stack
    }

    /// What stands for this name in one of the tables.
    pub fn row<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
        table
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, it)| *it)
    }
}
