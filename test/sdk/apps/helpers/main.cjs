void require("./app.cjs")(require("sonde"));
