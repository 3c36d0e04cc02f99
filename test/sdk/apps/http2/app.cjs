// Asks itself over HTTP/2, by the first session that there is, with headers as an object and as a list.
module.exports = function run({ connect, createServer }) {
  const server = createServer((request, response) => response.end(request.url));
  server.listen(0, "127.0.0.1", () => {
    const client = connect(`http://127.0.0.1:${server.address().port}`);
    const isListTaken = Number(process.versions.node.split(".")[0]) >= 24;
    ask(client, { ":path": "/object" }, () => {
      ask(client, isListTaken ? [":path", "/list"] : { ":path": "/list" }, () => {
        client.close();
        server.close();
      });
    });
  });
};

function ask(client, headers, then) {
  client.request(headers).resume().on("close", then);
}
