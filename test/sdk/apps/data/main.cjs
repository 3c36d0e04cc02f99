void require("./app.cjs")({ pg: require("pg"), redis: require("redis") });
