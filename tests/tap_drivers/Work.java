// Works with pgjdbc as applications do, and prints a digest of all answers: Work.java URL
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HexFormat;
import org.postgresql.PGConnection;

public class Work {
    static MessageDigest digest;

    static void note(String answer) throws Exception {
        digest.update(answer.getBytes("UTF-8"));
    }

    static void rows(ResultSet rows) throws Exception {
        while (rows.next()) {
            for (int n = 1; n <= rows.getMetaData().getColumnCount(); n++) {
                note(rows.getString(n) + "|");
            }
        }
        rows.close();
    }

    public static void main(String[] args) throws Exception {
        digest = MessageDigest.getInstance("SHA-256");
        Connection opened = DriverManager.getConnection(args[0]);
        PreparedStatement statement = opened.prepareStatement("select ?::int + 1, ?::text");
        PreparedStatement wrong = opened.prepareStatement("select 1 / ?::int");
        for (int n = 0; n < 300; n++) {
            statement.setInt(1, n);
            statement.setString(2, "'" + n + "\\");
            rows(statement.executeQuery());
            if (n % 50 == 0) {
                try {
                    wrong.setInt(1, 0);
                    rows(wrong.executeQuery());
                } catch (SQLException failed) {
                    note(failed.getSQLState());
                }
            }
        }
        Statement plain = opened.createStatement();
        plain.execute("create temporary table copied (n int, t text)");
        StringBuilder lines = new StringBuilder();
        for (int n = 0; n < 20000; n++) {
            lines.append(n).append("\ttext ").append(n).append('\n');
        }
        var copy = opened.unwrap(PGConnection.class).getCopyAPI();
        copy.copyIn("copy copied from stdin", new StringReader(lines.toString()));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        copy.copyOut("copy copied to stdout", out);
        digest.update(out.toByteArray());
        rows(plain.executeQuery("select repeat('row', 1400000) || n, n from generate_series(1, 3) n"));
        opened.setAutoCommit(false);
        plain.setFetchSize(100);
        rows(plain.executeQuery("select n, md5(n::text) from generate_series(1, 1000) n"));
        opened.commit();
        opened.setAutoCommit(true);
        plain.setQueryTimeout(1);
        try {
            rows(plain.executeQuery("select pg_sleep(60)"));
        } catch (SQLException failed) {
            note(failed.getSQLState());
        }
        rows(plain.executeQuery("select 'after'"));
        opened.close();
        System.out.println(HexFormat.of().formatHex(digest.digest()));
    }
}
