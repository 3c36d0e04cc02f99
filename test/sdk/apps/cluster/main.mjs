import "./main.cjs";
