# One of the example services under the SDK, with the sonde image as its base:
#   docker build -f deploy/example.Dockerfile --build-arg SERVICE=shop -t sonde-shop .
ARG SONDE_IMAGE=sonde
FROM ${SONDE_IMAGE}
USER root
COPY examples examples
RUN npm install --no-save express@5.3.0 pino@10.4.0
USER node
ARG SERVICE
ENV SERVICE=${SERVICE} NODE_OPTIONS="--import sonde/register"
ENTRYPOINT ["sh", "-c", "exec node examples/${SERVICE}/main.js"]
HEALTHCHECK NONE
