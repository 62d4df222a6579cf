//! dbdoctor says why a PostgreSQL connection fails, and what to do about it.
