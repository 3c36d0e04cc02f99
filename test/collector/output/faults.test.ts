// Each output that sends over the network, against all that can be wrong with its server.

import { faultContract } from "../../contract/faults.ts";
import {
  elasticsearch,
  lokiBy,
  otlpOverGrpc,
  otlpOverHttp,
  remoteWrite,
} from "./network-outputs.ts";

faultContract("otlp over HTTP", otlpOverHttp);
faultContract("otlp over gRPC", otlpOverGrpc);
faultContract("loki by otlp", lokiBy("otlp"));
faultContract("loki by push", lokiBy("push"));
faultContract("elasticsearch", elasticsearch);
faultContract("remote write", remoteWrite);
