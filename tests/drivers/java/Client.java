// Connects with pgjdbc, and says in one line of JSON what came of it: Client URL
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;

public class Client {
    public static void main(String[] args) throws Exception {
        if (args[0].equals("--version")) {
            System.out.println(org.postgresql.util.DriverInfo.DRIVER_VERSION + ", Java " + System.getProperty("java.version"));
            return;
        }
        boolean connected = false;
        String error = null;
        String code = null;
        try (Connection opened = DriverManager.getConnection(args[0])) {
            connected = true;
            PreparedStatement statement = opened.prepareStatement("select ?::int");
            for (int n = 0; n < 7; n++) {
                statement.setInt(1, n);
                statement.executeQuery().close();
            }
        } catch (Throwable thrown) {
            StringBuilder said = new StringBuilder();
            for (Throwable at = thrown; at != null && said.length() < 2000; at = at.getCause()) {
                said.append(said.length() == 0 ? "" : " <- ").append(at.getClass().getSimpleName()).append(": ").append(at.getMessage());
            }
            error = said.toString();
            code = thrown instanceof SQLException sql ? sql.getSQLState() : null;
        }
        System.out.println("{\"connected\":" + connected + ",\"answered\":" + (error == null)
                + ",\"error\":" + quoted(error) + ",\"code\":" + quoted(code) + "}");
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static String quoted(String text) {
        if (text == null) {
            return "null";
        }
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            out.append(c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
        }
        return out.append('"').toString();
    }
}
