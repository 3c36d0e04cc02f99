# One of the example services under the SDK, which comes out of the sonde image:
#   docker build -f deploy/example.Dockerfile --build-context sonde=docker-image://sonde \
#     --build-arg SERVICE=shop -t sonde-shop .
FROM node:24-slim
COPY --from=sonde /opt/sonde /opt/sonde
WORKDIR /app
RUN npm init -y && npm pkg set type=module && npm install express@5.3.0 pino@10.4.0
COPY examples .
USER node
ARG SERVICE
ENV SERVICE=${SERVICE} NODE_OPTIONS="--import /opt/sonde/dist/sdk/register.cjs"
CMD ["sh", "-c", "exec node ${SERVICE}/main.js"]
