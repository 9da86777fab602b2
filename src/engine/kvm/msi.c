/*
 * msi.c: interrupt messages to the kernel's local APICs.
 *
 * The end of a level-triggered interrupt has to come back to the I/O APIC, which is ours. The kernel leaves
 * the guest at an EOI only for vectors that stand, level-triggered, in its table of routes for the pins of an
 * I/O APIC. So each level message that is new gets a route before it is sent; the one that was used the
 * longest ago makes room. Twenty-four pins are fewer than the routes, so a route that is needed is never
 * lost, whatever vectors a guest tries.
 */
#include "engine/kvm/impl.h"
#include <errno.h>

#define MSI_DATA_LEVEL BIT(15)

/* With the lock held. */
static void store_routes(struct engine *en)
{
    struct {
        struct kvm_irq_routing head;
        struct kvm_irq_routing_entry entry[LEVEL_ROUTES];
    } table = {.head.nr = 0};
    for (unsigned i = 0; i < LEVEL_ROUTES; i++) {
        const struct level_route *r = &en->route[i];
        if (r->used)
            table.entry[table.head.nr++] = (struct kvm_irq_routing_entry){
                .gsi = i,
                .type = KVM_IRQ_ROUTING_MSI,
                .u.msi = {.address_lo = (uint32_t)r->addr,
                          .address_hi = (uint32_t)(r->addr >> 32),
                          .data = r->data},
            };
    }
    if (ioctl(en->vm, KVM_SET_GSI_ROUTING, &table) < 0)
        log_error("kvm: the kernel refuses the table of interrupt routes: %s", strerror(errno));
}

static void watch_level(struct engine *en, uint64_t addr, uint32_t data)
{
    pthread_mutex_lock(&en->route_lock);
    struct level_route *r = NULL, *oldest = &en->route[0];
    for (unsigned i = 0; i < LEVEL_ROUTES && !r; i++) {
        struct level_route *at = &en->route[i];
        if (at->used && at->addr == addr && at->data == data)
            r = at;
        else if (at->used < oldest->used)
            oldest = at;
    }
    bool known = r;
    r = known ? r : oldest;
    *r = (struct level_route){.addr = addr, .data = data, .used = ++en->route_uses};
    if (!known)
        store_routes(en);
    pthread_mutex_unlock(&en->route_lock);
}

/* A message that no local APIC takes is lost, as on the wire. */
void kvm_deliver_msi(struct engine *en, uint64_t addr, uint32_t data)
{
    struct kvm_msi m = {.address_lo = (uint32_t)addr, .address_hi = (uint32_t)(addr >> 32), .data = data};
    if (data & MSI_DATA_LEVEL)
        watch_level(en, addr, data);
    ioctl(en->vm, KVM_SIGNAL_MSI, &m);
}
