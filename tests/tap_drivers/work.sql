-- Works as a script of psql does.
\set ON_ERROR_STOP off
select format('select %s + 1, %L', n, n || '''\') from generate_series(1, 300) n \gexec
select 1 / 0;
create temporary table copied (n int, t text);
copy (select n, 'text ' || n from generate_series(1, 20000) n) to stdout;
copy copied from stdin;
1	one
2	two
\.
select * from copied;
select repeat('row', 1400000) || n, n from generate_series(1, 3) n;
begin;
declare rows cursor for select n, md5(n::text) from generate_series(1, 1000) n;
fetch 100 from rows;
fetch 100 from rows;
commit;
\set FETCH_COUNT 50
select n from generate_series(1, 500) n;
set statement_timeout = '200ms';
select pg_sleep(60);
select 'after';
