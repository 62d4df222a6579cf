//! Programs that fork workers, and what to do there.

/// Programs that fork workers, each with its own place for the cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Framework {
    Gunicorn,
    Uwsgi,
    Celery,
    Multiprocessing,
    Puma,
    Unicorn,
    PhpFpm,
    Apache,
}

impl Framework {
    /// Recognises one from a process's arguments.
    pub fn of(arguments: &[String]) -> Option<Self> {
        let named = |name: &str| {
            arguments.iter().take(6).any(|argument| {
                let last = argument.rsplit('/').next().unwrap_or(argument);
                last == name
                    || last.starts_with(&format!("{name}:"))
                    || last.starts_with(&format!("{name} "))
            })
        };
        let contains = |text: &str| arguments.iter().take(8).any(|a| a.contains(text));
        Some(match () {
            _ if named("gunicorn") => Self::Gunicorn,
            _ if named("uwsgi") => Self::Uwsgi,
            _ if named("celery") || contains("celeryd") => Self::Celery,
            _ if named("puma") => Self::Puma,
            _ if named("unicorn") => Self::Unicorn,
            _ if named("php-fpm") || contains("php-fpm:") => Self::PhpFpm,
            _ if named("apache2") || named("httpd") => Self::Apache,
            _ if contains("multiprocessing") => Self::Multiprocessing,
            _ => return None,
        })
    }

    /// What to do there.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Gunicorn => {
                "gunicorn: create the engine in the post_fork hook, or call engine.dispose(close=False) there, or start without --preload"
            }
            Self::Uwsgi => {
                "uWSGI: set lazy-apps = true, or create the pool in a function marked @postfork"
            }
            Self::Celery => {
                "Celery: create the engine on the worker_process_init signal, or call engine.dispose(close=False) there"
            }
            Self::Multiprocessing => {
                "multiprocessing: call engine.dispose(close=False) in the initializer of the pool, or use the spawn start method"
            }
            Self::Puma => {
                "Puma: with preload_app!, call ActiveRecord::Base.connection_pool.disconnect! in before_fork and connect in on_worker_boot"
            }
            Self::Unicorn => {
                "Unicorn: with preload_app, disconnect in before_fork and connect in after_fork"
            }
            Self::PhpFpm => {
                "PHP-FPM: open connections while a request is served, not in a preload script"
            }
            Self::Apache => {
                "Apache: open connections in the child's initialisation, not at start-up"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frameworks_are_recognised() {
        let of =
            |text: &str| Framework::of(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(
            of("/usr/bin/python3 /usr/bin/gunicorn --preload app"),
            Some(Framework::Gunicorn)
        );
        assert_eq!(of("gunicorn: worker [app]"), Some(Framework::Gunicorn));
        assert_eq!(of("uwsgi --ini app.ini"), Some(Framework::Uwsgi));
        assert_eq!(
            of("python3 -c from multiprocessing.spawn"),
            Some(Framework::Multiprocessing)
        );
        assert_eq!(of("php-fpm: pool www"), Some(Framework::PhpFpm));
        assert_eq!(of("node server.js"), None);
    }
}
