module.exports = async function serve(app) {
  app.register(
    async (scope) => {
      scope.get("/users/:name", async (request) => ({ name: request.params.name }));
      scope.post("/users", async (request) => request.body);
    },
    { prefix: "/api" },
  );
  process.stdout.write(`listening on ${await app.listen({ port: 0, host: "127.0.0.1" })}\n`);
};
