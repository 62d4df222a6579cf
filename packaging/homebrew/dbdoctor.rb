# scripts/homebrew fills in what is written in capitals with an @ on both sides.
class Dbdoctor < Formula
  desc "Finds out why a PostgreSQL connection fails and how to fix it"
  homepage "@REPOSITORY@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "@REPOSITORY@/releases/download/v@VERSION@/dbdoctor-@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256 aarch64-apple-darwin@"
    end
    on_intel do
      url "@REPOSITORY@/releases/download/v@VERSION@/dbdoctor-@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256 x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "@REPOSITORY@/releases/download/v@VERSION@/dbdoctor-@VERSION@-aarch64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256 aarch64-unknown-linux-gnu@"
    end
    on_intel do
      url "@REPOSITORY@/releases/download/v@VERSION@/dbdoctor-@VERSION@-x86_64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256 x86_64-unknown-linux-gnu@"
    end
  end

  def install
    bin.install "dbdoctor"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/dbdoctor.bash" => "dbdoctor"
    zsh_completion.install "completions/_dbdoctor"
    fish_completion.install "completions/dbdoctor.fish"
    pkgshare.install "schema"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/dbdoctor --version")
    assert_match "tcp.refused", shell_output("#{bin}/dbdoctor tcp 127.0.0.1:1", 1)
  end
end
