// A client's certificate and key as pgjdbc loads them.
import java.util.*;
import javax.net.ssl.*;
import org.postgresql.ssl.*;

public class Keys {
  public static void main(String[] a) {
    String said;
    try {
      Properties info = new Properties();
      info.setProperty("sslmode", "require");
      info.setProperty("sslcert", a[0]);
      info.setProperty("sslkey", a[1]);
      info.setProperty("sslpassword", a[2]);
      java.lang.reflect.Field field = LibPQFactory.class.getDeclaredField("km");
      field.setAccessible(true);
      LibPQFactory factory = new LibPQFactory(info);
      X509KeyManager manager = (X509KeyManager) field.get(factory);
      String alias = manager instanceof PKCS12KeyManager ? manager.chooseClientAlias(new String[] {"RSA", "EC"}, null, null) : "user";
      Object key = manager.getPrivateKey(alias);
      factory.throwKeyManagerException();
      said = key == null ? "no key" : "ok";
    } catch (Throwable error) {
      Throwable last = error;
      while (last.getCause() != null && last.getCause() != last) last = last.getCause();
      said = error.getMessage() + (last == error ? "" : " <- " + last.getMessage());
    }
    System.out.println("pgjdbc\t" + said.replaceAll("\\s*\n\\s*", " "));
  }
}
