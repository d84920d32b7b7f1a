#!/bin/sh
# Java as an image would start it under `sidespan run`: SOURCE.java ARGUMENT...
#
# A JVM knows neither the proxy variables nor those of trust, so both become properties. A truststore replaces the
# JVM's own, which is why it starts as a copy of that. Loopback is called directly unless nonProxyHosts is empty.

set -eu

store=$(mktemp -d)
trap 'rm -rf -- "$store"' EXIT
home=$(java -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java\.home = //p')
cp -- "$home/lib/security/cacerts" "$store/trust"
chmod u+w "$store/trust"
keytool -importcert -noprompt -alias sidespan -file "$NODE_EXTRA_CA_CERTS" -keystore "$store/trust" \
  -storepass changeit 2>/dev/null

address=${HTTPS_PROXY#http://}
JAVA_TOOL_OPTIONS="-Dhttps.proxyHost=${address%:*} -Dhttps.proxyPort=${address##*:} -Dhttp.nonProxyHosts= \
-Djavax.net.ssl.trustStore=$store/trust"
export JAVA_TOOL_OPTIONS
java "$@"
