require("./app.cjs")(require("node:http2"));
