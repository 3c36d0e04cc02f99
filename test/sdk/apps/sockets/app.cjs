// Two connections of ws and one of socket.io, over long polling; one of ws is closed again.
const http = require("node:http");
const events = require("node:events");

module.exports = async function run({ WebSocket, WebSocketServer, Server, io }) {
  const server = http.createServer().listen(0, "127.0.0.1");
  await events.once(server, "listening");
  const { port } = server.address();
  const sockets = new WebSocketServer({ noServer: true });
  sockets.on("connection", (socket) => {
    socket.on("message", (data) => {
      socket.send(String(data));
      socket.send("again");
    });
  });
  server.on("upgrade", (request, socket, head) => {
    if (request.url !== "/plain") return;
    sockets.handleUpgrade(request, socket, head, (one) => sockets.emit("connection", one, request));
  });
  const connect = async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/plain`);
    await events.once(socket, "open");
    return socket;
  };
  const [kept, closed] = [await connect(), await connect()];
  for (let count = 0; count < 3; count++) {
    let answers = 0;
    const answered = new Promise((resolve) => {
      kept.on("message", () => ++answers === 2 && resolve());
    });
    kept.send("hello");
    await answered;
    kept.removeAllListeners("message");
  }
  closed.close();
  await events.once(closed, "close");
  const refused = new WebSocket("ws://127.0.0.1:9/");
  await events.once(refused, "error");

  const namespaces = new Server(server);
  namespaces.on("connection", (socket) => {
    socket.on("say", (word, answer) => {
      socket.emit("said", word);
      answer(word);
    });
  });
  const client = io(`http://127.0.0.1:${port}`, { transports: ["polling"] });
  await client.emitWithAck("say", "hello");
  const gone = io(`http://127.0.0.1:${port}`, { transports: ["polling"], forceNew: true });
  await events.once(gone, "connect");
  gone.close();
  while (namespaces.of("/").sockets.size > 1)
    await new Promise((resolve) => setTimeout(resolve, 5));
  process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
};
