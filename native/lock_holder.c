/*
 * A guest, as a storage cluster sees it: opens an image and writes to it, block after block, and so holds its exclusive lock. Prints
 *   ready CLIENT-ID    after the first write
 *   wrote N            after each further write is safe
 * and ends with 0 at the end of its input, with 1 and a word on stderr at the first error.
 *
 *   lock_holder USER POOL IMAGE      (the cluster is that of CEPH_CONF)
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <rados/librados.h>
#include <rbd/librbd.h>

enum { BLOCK = 4096, BLOCKS = 64, PAUSE_MS = 20 };

static void check(int result, const char *call)
{
    if (result < 0) {
        fprintf(stderr, "%s failed: %s (%d)\n", call, strerror(-result), -result);
        exit(1);
    }
}

static void write_block(rbd_image_t image, unsigned long number)
{
    char block[BLOCK];
    memset(block, 'a' + (int)(number % 26), sizeof block);
    check((int)rbd_write(image, (number % BLOCKS) * BLOCK, sizeof block, block), "rbd_write");
    check(rbd_flush(image), "rbd_flush");
}

/* Waits a moment, or until there is something to read; true at the end of the input. */
static int input_ended(void)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    char byte;
    return poll(&input, 1, PAUSE_MS) > 0 && read(STDIN_FILENO, &byte, 1) == 0;
}

int main(int argc, char **argv)
{
    rados_t cluster;
    rados_ioctx_t ioctx;
    rbd_image_t image;
    unsigned long number = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: lock_holder USER POOL IMAGE\n");
        return 2;
    }

    setvbuf(stdout, NULL, _IOLBF, 0);
    check(rados_create2(&cluster, "ceph", argv[1], 0), "rados_create2");
    check(rados_conf_read_file(cluster, NULL), "rados_conf_read_file");
    check(rados_connect(cluster), "rados_connect");
    check(rados_ioctx_create(cluster, argv[2], &ioctx), "rados_ioctx_create");
    check(rbd_open(ioctx, argv[3], &image, NULL), "rbd_open");

    write_block(image, number);
    printf("ready %llu\n", (unsigned long long)rados_get_instance_id(cluster));
    while (!input_ended()) {
        write_block(image, ++number);
        printf("wrote %lu\n", number);
    }

    check(rbd_close(image), "rbd_close");
    rados_ioctx_destroy(ioctx);
    rados_shutdown(cluster);
    return 0;
}
