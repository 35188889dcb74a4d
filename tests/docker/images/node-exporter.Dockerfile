# As prom/node-exporter.
ARG BASE
FROM ${BASE}
RUN ln -sf /usr/bin/prometheus-node-exporter /bin/node_exporter
USER 65534:65534
EXPOSE 9100
ENTRYPOINT ["/bin/node_exporter"]
