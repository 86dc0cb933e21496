"""An object store that speaks S3, for the tests.

Prints the port that it listens at, and ends with its standard input. The bucket `annals` is there from the start.

It looks whether a name is taken, and writes then. What happens between the two takes so short here that eight writers
rarely meet; in objects under `probe/` it takes a little longer, so that it is not left to chance whether they do.
"""

import logging
import sys
import time
import urllib.request

try:
    from moto.s3.models import S3Backend
    from moto.server import ThreadedMotoServer
except ImportError:
    print("missing", flush=True)
    sys.exit(0)

put_object = S3Backend.put_object


def put_after_a_while(self, bucket_name, key_name, *args, **kwargs):
    if "/probe/" in key_name:
        time.sleep(0.1)
    return put_object(self, bucket_name, key_name, *args, **kwargs)


S3Backend.put_object = put_after_a_while

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
_, port = server.get_host_and_port()
request = urllib.request.Request(f"http://127.0.0.1:{port}/annals", method="PUT")
urllib.request.urlopen(request).read()
print(port, flush=True)
sys.stdin.read()
server.stop()
