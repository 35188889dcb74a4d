# As the official image elasticsearch: folders, user, and settings given as environment variables.
# The reduced distribution has no Java of its own: it takes the distribution's.
ARG BASE
FROM ${BASE}
COPY --from=distribution --chown=1000:0 . /usr/share/elasticsearch
COPY elasticsearch-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
RUN ln -sfn /usr/lib/jvm/java-17-openjdk-* /usr/lib/jvm/stand-in \
 && cd /usr/share/elasticsearch && mkdir -p data logs config plugins && chown -R 1000:0 data logs config plugins
ENV ES_JAVA_HOME=/usr/lib/jvm/stand-in ELASTIC_CONTAINER=true
USER 1000:0
WORKDIR /usr/share/elasticsearch
EXPOSE 9200 9300
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/docker-entrypoint.sh"]
CMD ["eswrapper"]
