#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""/metrics and /healthz of both daemons, read as strictly as the format allows, before, during and after work."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import prometheus  # noqa: E402
from programs import Cluster, get, wait_until  # noqa: E402
from tap import equal, main, ok  # noqa: E402

WORK = ("--clients", "2", "--slots", "4", "--files", "20", "--directories", "2", "--size", "4M", "--seconds", "1", "--pnfs")
BOTH = {"nacre_nfs_operations_total", "nacre_nfs_operation_errors_total", "nacre_nfs_operation_seconds", "nacre_nfs_received_bytes_total",
        "nacre_nfs_sent_bytes_total", "nacre_nfs_replays_total", "nacre_loop_lag_seconds"}
MDS = {"nacre_layouts", "nacre_layouts_granted_total", "nacre_fences_total", "nacre_store_batches_total", "nacre_store_syncs_total",
       "nacre_store_sync_seconds_total", "nacre_clients", "nacre_opens", "nacre_mds_data_written_bytes_total", "nacre_mds_data_read_bytes_total"}
DS = {"nacre_ds_read_bytes_total", "nacre_ds_written_bytes_total", "nacre_ds_fences_total", "nacre_ds_fenced_total", "nacre_ds_trusted",
      "nacre_ds_disk_errors_total"}


def scrape(cluster, name):
    status, kind, text = get(cluster.url(name, "/metrics"))
    if status != 200 or kind != "text/plain; version=0.0.4; charset=utf-8":
        raise prometheus.Bad(f"{status} {kind}")
    return prometheus.parse(text)


def all_of(cluster):
    return {name: scrape(cluster, name) for name in ("mds", "ds0", "ds1")}


def check_histograms(name, families):
    operations, seconds = families["nacre_nfs_operations_total"], families["nacre_nfs_operation_seconds"]
    differ = [op for op in operations.labels("op")
              if seconds.samples[("nacre_nfs_operation_seconds_count", (("op", op),))] != operations.value(op=op)]
    ok(not differ, f"{name}: a latency for each operation", differ)


def never_falls(name, before, after):
    fallen = [key for family in before.values() if family.type != "gauge"
              for key, value in family.samples.items() if after[family.name].samples[key] < value]
    ok(not fallen, f"{name}: no counter falls", fallen)


def test_metrics():
    with Cluster(2) as cluster:
        idle = all_of(cluster)
        ok(not (BOTH | MDS) - set(idle["mds"]), "all that the metadata server is to tell", (BOTH | MDS) - set(idle["mds"]))
        ok(not (BOTH | DS) - set(idle["ds0"]), "all that a data server is to tell", (BOTH | DS) - set(idle["ds0"]))
        ok({"open", "layoutget", "illegal"} <= idle["mds"]["nacre_nfs_operations_total"].labels("op"), "operations by name")
        status, output = cluster.load(*WORK)
        ok(status == 0 and "errors" in output, "a load without a kernel", output)
        busy = all_of(cluster)
        for name, families in busy.items():
            check_histograms(name, families)
            never_falls(name, idle[name], families)
        mds = busy["mds"]
        given = mds["nacre_layouts_granted_total"].value()
        ok(given > 0, "layouts are counted")
        equal(given, mds["nacre_nfs_operations_total"].value(op="layoutget") - mds["nacre_nfs_operation_errors_total"].value(op="layoutget"),
              "each LAYOUTGET that was answered gave one")
        ok(mds["nacre_nfs_operation_errors_total"].value(op="lookup") > 0, "errors are counted by operation")
        ok(mds["nacre_store_batches_total"].value() >= mds["nacre_store_syncs_total"].value() > 0, "store batches, and fewer syncs")
        ok(0 < mds["nacre_store_sync_seconds_total"].value() < 60, "syncs take time, in seconds")
        ok(0 < mds["nacre_loop_lag_seconds"].value() < 60, "the loop's lag is in seconds")
        equal((mds["nacre_mds_data_written_bytes_total"].value(), mds["nacre_mds_data_read_bytes_total"].value()), (0, 0),
              "no file data through the metadata server")
        for name in ("ds0", "ds1"):
            ds = busy[name]
            written, read = ds["nacre_ds_written_bytes_total"].value(), ds["nacre_ds_read_bytes_total"].value()
            ok(written > 0 and read > 0, f"{name}: file data in and out")
            ok(ds["nacre_nfs_received_bytes_total"].value() > written and ds["nacre_nfs_sent_bytes_total"].value() > read,
               f"{name}: and on the wire a little more")


def health(cluster, name):
    status, _, text = get(cluster.url(name, "/healthz"))
    return status, text


def test_health():
    with Cluster(1) as cluster:
        equal(health(cluster, "mds"), (200, "ok\n"), "the metadata server is well")
        equal(health(cluster, "ds0"), (200, "ok\n"), "so is the data server")
        equal(get(cluster.url("mds", "/metrics"), "POST")[0], 405, "POST is refused")
        equal(get(cluster.url("mds", "/v1/status"))[0], 404, "commands are not served over TCP")
        equal(get(cluster.url("mds", "/healthz"), "HEAD")[::2], (200, ""), "HEAD has no body")
        cluster.kill("ds0")
        wait_until("the metadata server says so", lambda: health(cluster, "mds") == (503, "no data server can take new files\n"))
        ok(True, "without a data server the metadata server says so")
        cluster.ok("dev", "restart", "--dir", cluster.dir, "ds0")
        equal((health(cluster, "mds"), health(cluster, "ds0")), ((200, "ok\n"), (200, "ok\n")), "back again")
        cluster.kill("mds")
        wait_until("the data server says so", lambda: health(cluster, "ds0")[0] == 503)
        ok("connection" in health(cluster, "ds0")[1], "without the metadata server a data server says so", health(cluster, "ds0"))
        cluster.ok("dev", "restart", "--dir", cluster.dir, "mds")
        wait_until("trust", lambda: health(cluster, "ds0") == (200, "ok\n"))
        ok(True, "and serves when it is back")


main(test_metrics, test_health)
