# Connects with Ruby's pg, and says in one line of JSON what came of it: client.rb CONNECTION
require "json"
require "pg"

if ARGV[0] == "--version"
  puts "#{PG::VERSION}, libpq #{PG.library_version / 10_000}.#{PG.library_version % 10_000}"
  exit
end
answer = { connected: false }
begin
  opened = PG.connect(ARGV[0])
  answer[:connected] = true
  7.times { |n| opened.exec_params("select $1::int", [n]) }
  answer[:answered] = true
rescue StandardError => error
  answer[:error] = "#{error.class}: #{error.message}"
  answer[:code] = error.respond_to?(:result) && error.result ? error.result.error_field(PG::PG_DIAG_SQLSTATE) : nil
end
puts JSON.generate(answer)
