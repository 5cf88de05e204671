/* SPDX-License-Identifier: Apache-2.0 */
/* A circular doubly linked list whose nodes are members of the things listed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
        struct list *next, *prev;
};

#define CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define LIST_INIT(head) \
        { \
                &(head), &(head) \
        }
#define LIST_FOR_EACH(node, head) for (struct list *node = (head)->next; node != (head); node = node->next)
/* The body may remove NODE. */
#define LIST_FOR_EACH_SAFE(node, head) \
        for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
             node = node##_next, node##_next = node->next)

static inline void list_init(struct list *l)
{
        l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
        return l->next == l;
}
static inline void list_insert_before(struct list *at, struct list *node)
{
        node->prev = at->prev;
        node->next = at;
        at->prev->next = node;
        at->prev = node;
}
static inline void list_push(struct list *head, struct list *node)
{
        list_insert_before(head, node);
} /* at the end */
static inline void list_push_front(struct list *head, struct list *node)
{
        list_insert_before(head->next, node);
}
/* Leaves NODE initialised: removing twice is harmless. */
static inline void list_remove(struct list *node)
{
        node->prev->next = node->next;
        node->next->prev = node->prev;
        list_init(node);
}
static inline struct list *list_pop(struct list *head) /* from the front; NULL when empty */
{
        struct list *node = head->next;

        if (node == head)
                return NULL;
        list_remove(node);
        return node;
}
/* Move all of FROM to the end of TO. */
static inline void list_splice(struct list *to, struct list *from)
{
        if (list_empty(from))
                return;
        from->next->prev = to->prev;
        to->prev->next = from->next;
        from->prev->next = to;
        to->prev = from->prev;
        list_init(from);
}
