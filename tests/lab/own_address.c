/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/own_address.h"

#include <stdint.h>
#include <unistd.h>

enum { FIRST_NET = 64, NETS = 64, FIRST_PORT = 20000, PORTS = 24, PROCESSES = 512 };

struct netaddr own_address(void)
{
        static uint32_t ports;
        uint32_t pid = (uint32_t)getpid(); /* of 22 bits at most */
        uint32_t port =
                FIRST_PORT + pid % PROCESSES * PORTS + ports++ % PORTS; /* below what connect() takes */

        return (struct netaddr){ .family = 4,
                                 .port = (uint16_t)port,
                                 .bytes = { 127, (uint8_t)(FIRST_NET + (pid >> 16) % NETS),
                                            (uint8_t)(pid >> 8), (uint8_t)pid } };
}
