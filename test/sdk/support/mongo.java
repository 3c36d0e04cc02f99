// A server that speaks MongoDB's protocol, on the port that is given. It says that it is a little newer than it is: the
// driver of today talks to none that is older than 4.4.

import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.List;

class Mongo {
  public static void main(String[] args) {
    var version =
        new MongoVersion() {
          public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
          }

          public int getWireVersion() {
            return 13;
          }
        };
    var server = new MongoServer(new MemoryBackend().version(version));
    server.bind("127.0.0.1", Integer.parseInt(args[0]));
  }
}
