//! Routines of PostgreSQL that raise errors of one cause alone, whatever the
//! SQLSTATE: the names are those of its source, the same in every language.
//! `knowledge/refusals.tsv` has what each of them says, and since when. Pure.

use crate::cause::{Cause, auth, protocol, server, tls};
use crate::wire::server_error::ServerError;

/// The causes, and the routines that stand for them.
const ROUTINES: &[(&Cause, &[&str])] = &[
    // dfmgr.c; guc.c, ipci.c and lwlock.c refuse what a library does too late.
    (
        &server::LIBRARY,
        &[
            "internal_load_library",
            "incompatible_module_error",
            "expand_dynamic_library_name",
            "check_restricted_library_name",
            "load_external_function",
            "substitute_libpath_macro",
            "substitute_path_macro",
            "find_in_dynamic_libpath",
            "find_in_path",
            "file_exists",
            "pg_file_exists",
            "_PG_init",
            "init_custom_variable",
            "define_custom_variable",
            "RequestAddinShmemSpace",
            "RequestNamedLWLockTranche",
        ],
    ),
    // pg_locale.c and, from 18 on, pg_locale_*.c: what the operating system or
    // ICU knows of the database's locale.
    (
        &server::LOCALE,
        &[
            "make_icu_collator",
            "check_icu_locale",
            "pg_ucol_open",
            "icu_language_tag",
            "icu_validate_locale",
            "init_icu_converter",
            "report_newlocale_failure",
            "pg_newlocale_from_collation",
            "create_pg_locale",
            "create_pg_locale_icu",
            "create_pg_locale_libc",
            "create_pg_locale_builtin",
            "make_libc_collator",
            "builtin_locale_encoding",
            "builtin_validate_locale",
            "get_collation_actual_version",
            "get_collation_actual_version_libc",
            "get_collation_actual_version_builtin",
            "check_strxfrm_bug",
            "lc_collate_is_c",
            "lc_ctype_is_c",
        ],
    ),
    // miscinit.c, relmapper.c, md.c, relcache.c: the files of the data directory,
    // and what every session reads of the catalogues first.
    (
        &server::DAMAGED,
        &[
            "ValidatePgVersion",
            "load_relmap_file",
            "read_relmap_file",
            "mdopen",
            "mdopenfork",
            "mdread",
            "mdreadv",
            "mdstartreadv",
            "md_readv_report",
            "mdnblocks",
            "_mdnblocks",
            "_mdfd_openseg",
            "_mdfd_getseg",
            "ReadBuffer_common",
            "WaitReadBuffers",
            "buffer_readv_report",
            "load_critical_index",
            "RelationBuildDesc",
            "RelationBuildTupleDesc",
            "RelationInitPhysicalAddr",
            "RelationInitIndexAccessInfo",
            "RelationInitTableAccessMethod",
            "RelationCacheInitializePhase3",
            "RelationReloadIndexInfo",
            "LookupOpclassInfo",
            "IndexSupportInitialize",
            "index_getprocinfo",
            "GetIndexAmRoutine",
            "GetIndexAmRoutineByAmId",
            "_bt_getmeta",
            "_bt_getroot",
            "_bt_gettrueroot",
            "_bt_checkpage",
        ],
    ),
    // The cache of the catalogue's own descriptions, written at the first login.
    (
        &server::RESOURCES,
        &["write_item", "write_relcache_init_file"],
    ),
    // The server's settings contradict each other.
    (
        &server::CONFIG,
        &[
            "CheckMD5Auth",
            "PerformAuthentication",
            "generate_error_response",
            "validate",
            "load_validator_library",
        ],
    ),
    (&tls::CHANNEL_BINDING, &["be_tls_get_certificate_hash"]),
    // guc.c and postgres.c: settings that come with the connection.
    (
        &server::OPTION,
        &[
            "parse_and_validate_value",
            "set_config_option",
            "set_config_option_ext",
            "set_config_with_handle",
            "find_option",
            "assignable_custom_variable_name",
            "validate_option_array_item",
            "call_bool_check_hook",
            "call_int_check_hook",
            "call_real_check_hook",
            "call_string_check_hook",
            "call_enum_check_hook",
            "process_postgres_switches",
            "InitializeClientEncoding",
        ],
    ),
    // What the client sent arrived as something else.
    (
        &protocol::ALTERED,
        &[
            "recv_password_packet",
            "CheckSASLAuth",
            "pg_GSS_recvauth",
            "pg_SSPI_recvauth",
            "pq_startmsgread",
            "pq_getmsgbyte",
            "pq_getmsgbytes",
            "pq_copymsgbytes",
            "pq_getmsgtext",
            "pq_getmsgstring",
            "pq_getmsgrawstring",
            "pq_getmsgend",
            "SocketBackend",
        ],
    ),
];

/// The cause that this routine alone tells.
pub fn cause(error: &ServerError) -> Option<&'static Cause> {
    let routine = error.routine();
    let known = ROUTINES.iter().find(|(_, names)| names.contains(&routine));
    match known {
        // An empty password, a protocol of old, or memory: not what arrived.
        Some((cause, _)) if *cause == &protocol::ALTERED && error.code != "08P01" => {
            (error.code == "28P01").then_some(&auth::PASSWORD_MISSING)
        }
        Some((cause, _)) => Some(cause),
        None => None,
    }
}
