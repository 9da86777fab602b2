/*
 * dev/machine_event.h: how a device tells the machine's owner of something that ends or restarts it: power
 * off, reset.
 *
 * Called on a vCPU's thread inside an access, with the device's lock held: a leaf that notes the event and
 * wakes whoever acts on it. The access completes and the guest runs on until then.
 */
#ifndef DEV_MACHINE_EVENT_H
#define DEV_MACHINE_EVENT_H

struct machine_event {
    void (*fn)(void *opaque);
    void *opaque;
};

static inline void machine_event_fire(const struct machine_event *e)
{
    if (e->fn)
        e->fn(e->opaque);
}

#endif
