//! The names under which frameworks and images keep what libpq has its own
//! variables for. They are no source of a run, but for another process's
//! environment: what it sets there is what it connects with.

use super::origin::Origin;
use super::parse;
use super::request::Request;
use super::resolve::{Resolver, Variable};
use crate::system::System;

/// A whole URL.
pub const URL: [&str; 6] = [
    "DATABASE_URL",
    "POSTGRES_URL",
    "DB_URL",
    "SQLALCHEMY_DATABASE_URI",
    "SPRING_DATASOURCE_URL",
    "JDBC_DATABASE_URL",
];

/// The host.
pub const HOST: [&str; 7] = [
    "PGHOST",
    "PGHOSTADDR",
    "POSTGRES_HOST",
    "POSTGRES_SERVER",
    "POSTGRES_HOSTNAME",
    "DB_HOST",
    "DATABASE_HOST",
];

/// The port.
pub const PORT: [&str; 4] = ["PGPORT", "POSTGRES_PORT", "DB_PORT", "DATABASE_PORT"];

/// The database's name.
pub const DBNAME: [&str; 5] = [
    "PGDATABASE",
    "POSTGRES_DB",
    "DB_NAME",
    "DB_DATABASE",
    "DATABASE_NAME",
];

/// The role.
pub const USER: [&str; 7] = [
    "PGUSER",
    "POSTGRES_USER",
    "DB_USER",
    "DB_USERNAME",
    "DATABASE_USER",
    "SPRING_DATASOURCE_USERNAME",
    "JDBC_DATABASE_USERNAME",
];

const PASSWORD: [&str; 6] = [
    "PGPASSWORD",
    "POSTGRES_PASSWORD",
    "DB_PASSWORD",
    "DATABASE_PASSWORD",
    "SPRING_DATASOURCE_PASSWORD",
    "JDBC_DATABASE_PASSWORD",
];

/// Where a framework says which kind of database its other variables are about.
const KIND: [&str; 3] = ["DB_CONNECTION", "DB_ENGINE", "DB_TYPE"];

/// libpq's own, each of which says where to connect.
const LIBPQ: [&str; 3] = ["PGHOST", "PGHOSTADDR", "PGSERVICE"];

/// Whether neither the command line nor the environment of another process
/// says anything about a database, so that its settings are somewhere else.
pub fn says_nothing(args: &Request, around: &System) -> bool {
    let given = [
        &args.target,
        &args.url,
        &args.host,
        &args.port,
        &args.dbname,
    ];
    let nothing_given = given.iter().all(|given| given.is_none()) && args.env_file.is_none();
    let known = |name: &str| name.starts_with("PG") || URL.contains(&name) || HOST.contains(&name);
    let set = |name: &std::ffi::OsString| name.to_str().is_some_and(known);
    around.process.is_some() && nothing_given && !around.vars.keys().any(set)
}

impl Resolver<'_> {
    /// The URL that another process's framework reads, where nothing that
    /// libpq or most programs read says where to connect.
    pub(super) fn framework_url(&self) -> Option<(String, Origin)> {
        if !self.frameworks_count() {
            return None;
        }
        URL.iter().skip(1).find_map(|name| {
            let variable = self.variables.get(*name)?;
            let text = variable.text();
            // It may be another database's.
            parse::read(&text, name).ok()?;
            text.contains(':').then(|| (text, variable.origin.clone()))
        })
    }

    /// Host, port, database and login of another process's framework: all of
    /// them where it names the host, only the login where its URL says the rest.
    pub(super) fn read_frameworks(&mut self) {
        let of_another = self.set(&KIND).is_some_and(|kind| {
            let kind = kind.text().to_ascii_lowercase();
            !kind.contains("pg") && !kind.contains("postgres")
        });
        if !self.frameworks_count() || of_another {
            return;
        }
        let url = self.framework_url().is_some();
        if !url && self.set(&HOST).is_none() {
            return;
        }
        let place: [(&str, &[&str]); 3] = [("host", &HOST), ("port", &PORT), ("dbname", &DBNAME)];
        let login: [(&str, &[&str]); 2] = [("user", &USER), ("password", &PASSWORD)];
        let place = place.into_iter().filter(|_| !url);
        for (parameter, names) in place.chain(login) {
            if let Some(Variable { value, origin }) = self.set(names).cloned() {
                self.parameters.add(parameter, value, origin);
            }
        }
    }

    /// Whether they are read: they are another process's, and nothing that is
    /// stronger says where to connect.
    fn frameworks_count(&self) -> bool {
        let args = self.args;
        let is_set = |name: &&str| self.variables.contains_key(*name);
        self.surroundings.process.is_some()
            && args.target.is_none()
            && args.url.is_none()
            && args.env_file.is_none()
            && !self.names_a_part()
            && !is_set(&"DATABASE_URL")
            && !LIBPQ.iter().any(is_set)
    }

    fn set(&self, names: &[&str]) -> Option<&Variable> {
        let mut all = names.iter().filter_map(|name| self.variables.get(*name));
        all.find(|variable| !variable.value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::report::{Stage, StageRecord, TargetReport};
    use crate::vantage::{Traces, Vantage};

    /// The environment of a process, or our own.
    fn around(process: bool, vars: &[(&str, &str)]) -> System {
        let of = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
        System {
            vars: vars.iter().map(of).collect(),
            os_user: Some("me".to_owned()),
            process: process.then(|| {
                Arc::new(Vantage {
                    pid: 812,
                    name: "java".to_owned(),
                    apart: Vec::new(),
                    traces: Traces::default(),
                })
            }),
            ..System::default()
        }
    }

    /// Host, port, database, user and password, and where the host is from.
    fn read(around: &System) -> (Vec<String>, String) {
        let (mut report, mut record) = (TargetReport::default(), StageRecord::new(Stage::Config));
        record.begin();
        let args = Request::default();
        let mut resolver = Resolver::new(&args, around, &mut report, &mut record);
        let target = resolver.resolve(None).unwrap();
        let end = &target.endpoints[0];
        let password = end.password.as_ref().map(|it| it.secret.expose_owned());
        let values = [
            end.host.clone(),
            end.port.to_string(),
            target.dbname.clone(),
            target.user.clone(),
            password.unwrap_or_default(),
        ];
        (values.to_vec(), record.summary.clone())
    }

    #[test]
    fn a_frameworks_settings_count_in_another_process_alone() {
        let spring = [
            (
                "SPRING_DATASOURCE_URL",
                "jdbc:postgresql://db.test:6432/orders",
            ),
            ("SPRING_DATASOURCE_USERNAME", "app"),
            ("SPRING_DATASOURCE_PASSWORD", "pw"),
        ];
        let (values, summary) = read(&around(true, &spring));
        assert_eq!(values, ["db.test", "6432", "orders", "app", "pw"]);
        assert!(
            summary.contains("SPRING_DATASOURCE_URL of process 812"),
            "{summary}"
        );
        assert_eq!(read(&around(false, &spring)).0[1], "5432");
        let laravel = [
            ("DB_CONNECTION", "pgsql"),
            ("DB_HOST", "db.test"),
            ("DB_DATABASE", "orders"),
            ("DB_USERNAME", "app"),
            ("DB_PASSWORD", "pw"),
        ];
        let (values, _) = read(&around(true, &laravel));
        assert_eq!(values, ["db.test", "5432", "orders", "app", "pw"]);
    }

    #[test]
    fn what_is_stronger_or_of_another_database_is_left_alone() {
        let host = |vars: &[(&str, &str)]| read(&around(true, vars)).0[0].clone();
        let libpq = [("PGHOST", "right.test"), ("DB_HOST", "wrong.test")];
        assert_eq!(host(&libpq), "right.test");
        let url = [
            ("DATABASE_URL", "postgres://right.test/"),
            ("DB_URL", "postgres://wrong.test/"),
        ];
        assert_eq!(host(&url), "right.test");
        for other in [
            &[("DB_CONNECTION", "mysql"), ("DB_HOST", "wrong.test")][..],
            &[("DB_URL", "mysql://wrong.test/orders")],
            &[("POSTGRES_PASSWORD", "pw")],
        ] {
            assert_ne!(host(other), "wrong.test", "{other:?}");
        }
    }

    #[test]
    fn nothing_is_told_from_nothing() {
        let nothing =
            |vars: &[(&str, &str)]| says_nothing(&Request::default(), &around(true, vars));
        assert!(nothing(&[("HOME", "/")]));
        assert!(!nothing(&[("PGUSER", "app")]));
        assert!(!nothing(&[("DB_HOST", "db.test")]));
        assert!(!says_nothing(&Request::default(), &around(false, &[])));
    }
}
