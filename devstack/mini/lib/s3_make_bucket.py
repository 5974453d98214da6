"""Creates a bucket with one signed request: s3_make_bucket.py URL BUCKET, keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

Creating a bucket that one already owns succeeds, so this is also the test that S3, the user and its keys are there.
"""
import datetime
import hashlib
import hmac
import http.client
import os
import sys
import urllib.parse

REGION = "us-east-1"


def signature_key(secret: str, day: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (day, REGION, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def signed_headers(host: str, path: str) -> dict[str, str]:
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    empty = hashlib.sha256(b"").hexdigest()
    names = "host;x-amz-content-sha256;x-amz-date"
    request = f"PUT\n{path}\n\nhost:{host}\nx-amz-content-sha256:{empty}\nx-amz-date:{now}\n\n{names}\n{empty}"
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = signature_key(os.environ["AWS_SECRET_ACCESS_KEY"], now[:8])
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return {
        "Host": host,
        "x-amz-date": now,
        "x-amz-content-sha256": empty,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}",
    }


def main(url: str, bucket: str) -> int:
    host = urllib.parse.urlsplit(url).netloc
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request("PUT", f"/{bucket}", headers=signed_headers(host, f"/{bucket}"))
    answer = connection.getresponse()
    if answer.status != 200:
        print(f"PUT {url}/{bucket}: {answer.status} {answer.reason} {answer.read()!r}", file=sys.stderr)
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
