// Each output over HTTP, against all that can be wrong with its server.

import { faultContract } from "../../contract/faults.ts";
import { elasticsearch, lokiBy, otlpOverHttp, remoteWrite } from "./http-outputs.ts";

faultContract("otlp over HTTP", otlpOverHttp);
faultContract("loki by otlp", lokiBy("otlp"));
faultContract("loki by push", lokiBy("push"));
faultContract("elasticsearch", elasticsearch);
faultContract("remote write", remoteWrite);
