# As prom/alertmanager.
ARG BASE
FROM ${BASE}
RUN ln -sf /usr/bin/prometheus-alertmanager /bin/alertmanager && mkdir -p /alertmanager && chown 65534:65534 /alertmanager
USER 65534:65534
WORKDIR /alertmanager
EXPOSE 9093
VOLUME /alertmanager
ENTRYPOINT ["/bin/alertmanager"]
CMD ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"]
