// Java's TLS with pgjdbc's own factories and name verifier.
import java.io.*;
import java.net.*;
import java.util.*;
import javax.net.ssl.*;
import org.postgresql.ssl.*;

public class Stack {
  static String shake(int port, String host, String roots, String demand) {
    try {
      Socket raw = new Socket("127.0.0.1", port);
      raw.setSoTimeout(10000);
      raw.getOutputStream().write(new byte[] {0, 0, 0, 8, 4, (byte) 0xd2, 0x16, 0x2f});
      raw.getOutputStream().flush();
      raw.getInputStream().read();
      Properties info = new Properties();
      info.setProperty("sslmode", demand.equals("none") ? "require" : demand.equals("chain") ? "verify-ca" : "verify-full");
      info.setProperty("sslrootcert", roots);
      info.setProperty("sslcert", "/nonexistent");
      info.setProperty("sslkey", "/nonexistent.pk8");
      SSLSocketFactory factory = new LibPQFactory(info);
      SSLSocket secure = (SSLSocket) factory.createSocket(raw, host, port, true);
      secure.setUseClientMode(true);
      secure.startHandshake();
      if (demand.equals("name") && !PGjdbcHostnameVerifier.INSTANCE.verify(host, secure.getSession())) {
        return "The hostname " + host + " could not be verified by hostnameverifier PgjdbcHostnameVerifier.";
      }
      secure.close();
      return "ok";
    } catch (Throwable error) {
      Throwable last = error;
      while (last.getCause() != null && last.getCause() != last) last = last.getCause();
      return error.getMessage() + (last == error ? "" : " <- " + last.getMessage());
    }
  }

  public static void main(String[] a) {
    System.out.println("version java " + Runtime.version().feature());
    for (String demand : new String[] {"none", "chain", "name"}) {
      System.out.println("java\t" + demand + "\t" + shake(Integer.parseInt(a[0]), a[1], a[2], demand).replaceAll("\\s*\n\\s*", " "));
    }
    System.exit(0);
  }
}
