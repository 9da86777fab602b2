/*
 * lapic_bus.c: where interrupt messages find their destination (SDM 3A 11.6.2, 11.11, 11.12.10).
 *
 * APIC IDs are the vCPUs' numbers, so a physical destination is an index. The array is filled before the
 * machine runs.
 */
#include "cpu/lapic_impl.h"
#include <stdlib.h>

struct lapic_bus {
    unsigned max;
    _Atomic uint32_t turn; /* among equals, lowest priority goes round */
    struct log_limit odd;
    struct lapic *apic[];
};

struct message {
    uint32_t dest; /* LAPIC_BROADCAST: all */
    bool logical, lowest, level;
    uint8_t mode, vector;
};

struct lapic_bus *lapic_bus_new(unsigned max_cpus)
{
    assert(max_cpus && max_cpus < 255); /* 255 is the xAPIC's broadcast */
    struct lapic_bus *b = calloc(1, sizeof(*b) + max_cpus * sizeof(b->apic[0]));
    if (b)
        b->max = max_cpus;
    return b;
}

void lapic_bus_free(struct lapic_bus *b)
{
    free(b);
}

void lapic_bus_join(struct lapic_bus *b, struct lapic *a)
{
    assert(a->id < b->max && !b->apic[a->id]);
    b->apic[a->id] = a;
}

void lapic_bus_leave(struct lapic_bus *b, struct lapic *a)
{
    b->apic[a->id] = NULL;
}

/* Logical destination (SDM 3A 11.6.2.2, 11.12.10.2). */
static bool matches_logical(const struct lapic *a, uint32_t dest)
{
    if (lapic_x2apic(a))
        return dest >> 16 == a->id >> 4 && (dest & BIT(a->id & 15));
    uint32_t ldr = a->ldr >> 24, model = a->dfr >> 28;
    if (dest > 0xff)
        return false;
    if (model == 0xf)
        return dest & ldr;
    if (model == 0)
        return (dest >> 4 == ldr >> 4 || dest >> 4 == 0xf) && (dest & ldr & 0xf);
    return false;
}

static bool matches(const struct lapic *a, const struct message *m)
{
    if (!(a->base & BASE_ENABLE))
        return false;
    if (m->dest == LAPIC_BROADCAST)
        return true;
    return m->logical ? matches_logical(a, m->dest) : a->id == m->dest;
}

static bool has_vector(const struct lapic *a, uint8_t v)
{
    uint64_t bit = BIT(v % 64);
    return (a->irr[v / 64] & bit) || (a->isr[v / 64] & bit);
}

/*
 * Which of the destinations takes a lowest-priority message (SDM 3A 11.6.2.4): the focus processor, which has
 * the vector pending or in service, else one with the least of TPR and the vector in service. Only enabled
 * ones arbitrate.
 */
static struct lapic *arbitrate(struct lapic_bus *b, const struct message *m)
{
    struct lapic *best = NULL;
    unsigned best_priority = 0, first = atomic_fetch_add_explicit(&b->turn, 1, memory_order_relaxed);
    for (unsigned i = 0; i < b->max; i++) {
        struct lapic *a = b->apic[(first + i) % b->max];
        if (!a || !matches(a, m) || !(a->svr & SVR_ENABLE))
            continue;
        if (!(a->svr & SVR_NO_FOCUS) && has_vector(a, m->vector))
            return a;
        int service = lapic_highest(a->isr);
        unsigned priority = MAX(a->tpr & 0xf0, service < 0 ? 0 : (unsigned)service & 0xf0);
        if (!best || priority < best_priority) {
            best = a;
            best_priority = priority;
        }
    }
    return best;
}

static void send(struct lapic_bus *b, const struct message *m, const struct lapic *from)
{
    if (m->lowest) {
        struct lapic *a = arbitrate(b, m);
        if (a)
            lapic_deliver(a, m->mode, m->vector, m->level, a == from);
        return;
    }
    if (!m->logical && m->dest != LAPIC_BROADCAST) {
        struct lapic *a = m->dest < b->max ? b->apic[m->dest] : NULL;
        if (a)
            lapic_deliver(a, m->mode, m->vector, m->level, a == from);
        return;
    }
    for (unsigned i = 0; i < b->max; i++) {
        struct lapic *a = b->apic[i];
        if (a && matches(a, m))
            lapic_deliver(a, m->mode, m->vector, m->level, a == from);
    }
}

/* The modes that a message can have here; others go nowhere. */
static bool mode_known(struct lapic_bus *b, const char *source, unsigned mode)
{
    bool known = mode == MODE_FIXED || mode == MODE_LOWEST || mode == MODE_NMI || mode == MODE_INIT ||
                 mode == MODE_SIPI;
    if (!known)
        log_guest(&b->odd, "APIC: %s with delivery mode %u (SMI, ExtINT or reserved) is dropped", source,
                  mode);
    return known;
}

void lapic_bus_ipi(struct lapic_bus *b, struct lapic *from, uint64_t icr)
{
    enum { SHORT_NONE, SHORT_SELF, SHORT_ALL, SHORT_OTHERS };
    struct message m = {
        .logical = icr & BIT(11),
        .mode = (uint8_t)bits(icr, 8, 3),
        .vector = (uint8_t)icr,
    };
    unsigned shorthand = (unsigned)bits(icr, 18, 2);
    if (lapic_x2apic(from)) {
        m.dest = (uint32_t)(icr >> 32);
    } else {
        m.dest = (uint32_t)(icr >> 56);
        if (m.dest == 0xff)
            m.dest = LAPIC_BROADCAST;
    }
    if (!mode_known(b, "IPI", m.mode))
        return;
    if ((m.mode == MODE_FIXED || m.mode == MODE_LOWEST) && m.vector < 16) {
        lapic_error(from, ESR_SEND_ILLEGAL, true);
        return;
    }
    if (m.mode == MODE_INIT && !(icr & BIT(14)) && (icr & BIT(15)))
        return; /* INIT level de-assert sets arbitration IDs, which nobody has any more (SDM 3A 11.6.1) */
    /* The trigger mode of all others is ignored: IPIs are edges. */
    if (shorthand == SHORT_SELF) {
        lapic_deliver(from, m.mode, m.vector, false, true);
    } else if (shorthand == SHORT_NONE) {
        m.lowest = m.mode == MODE_LOWEST;
        send(b, &m, from);
    } else {
        for (unsigned i = 0; i < b->max; i++) {
            struct lapic *a = b->apic[i];
            if (a && (a != from || shorthand == SHORT_ALL))
                lapic_deliver(a, m.mode, m.vector, false, a == from);
        }
    }
}

/* Address and data format: SDM 3A 11.11.1, 11.11.2. */
void lapic_bus_msi(struct lapic_bus *b, uint64_t addr, uint32_t data)
{
    struct message m = {
        .dest = (uint32_t)bits(addr, 12, 8),
        .logical = addr & BIT(2),
        .mode = (uint8_t)bits(data, 8, 3),
        .vector = (uint8_t)data,
        .level = data & BIT(15),
    };
    if (m.dest == 0xff)
        m.dest = LAPIC_BROADCAST;
    if (!mode_known(b, "MSI", m.mode))
        return;
    if (m.level && !(data & BIT(14)))
        return; /* de-assert */
    /* The redirection hint asks for one of the destinations, as the mode does. */
    m.lowest = m.mode == MODE_LOWEST || ((addr & BIT(3)) && m.mode == MODE_FIXED);
    send(b, &m, NULL);
}
