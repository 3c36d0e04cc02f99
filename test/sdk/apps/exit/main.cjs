require("./app.cjs")(require("@opentelemetry/api"));
