/*
 * pc_run.c: a PC that runs: start and stop, what happens to it, and the way back to power-on.
 */
#include "machine/pc_impl.h"
#include <stdio.h>
#include <sys/mman.h>

/* ---- what happens ---- */

static bool record(struct pc *pc, const struct pc_event *ev, unsigned vcpu)
{
    pthread_mutex_lock(&pc->event_lock);
    bool first = pc->event.kind == PC_NOTHING;
    if (first) {
        pc->event = *ev;
        pc->event_vcpu = vcpu;
    }
    pthread_mutex_unlock(&pc->event_lock);
    return first;
}

static void report(struct pc *pc, const struct pc_event *ev, unsigned vcpu)
{
    if (!record(pc, ev, vcpu))
        return;
    for (unsigned i = 0; i < pc->cfg.cpus; i++)
        vcpu_ask_pause(pc->vcpu[i]);
    pc->cfg.event(pc->cfg.opaque);
}

void pc_event(struct pc *pc, enum pc_event_kind kind, uint32_t debug_exit)
{
    report(pc, &(struct pc_event){.kind = kind, .debug_exit = debug_exit}, 0);
}

void pc_vcpu_stopped(void *opaque, unsigned id, enum engine_exit why, const struct engine_exit_info *info)
{
    struct pc_event ev = {.kind = PC_TRIPLE_FAULT};
    if (why != EXIT_SHUTDOWN) {
        /* Nobody has set a breakpoint or asked for single steps: EXIT_DEBUG is as wrong as EXIT_ERROR. */
        ev.kind = PC_ERROR;
        snprintf(ev.text, sizeof(ev.text), "vCPU %u: %s", id,
                 why == EXIT_ERROR ? info->text : "the engine stopped at a breakpoint that was not set");
    }
    report(opaque, &ev, id);
}

static void describe_triple_fault(const struct engine_ops *ops, struct engine_vcpu *ev, void *opaque)
{
    struct pc_event *event = opaque;
    struct x86_state s = {0};
    size_t at = strlen(event->text);

    ops->pull(ev, GROUP_GENERAL | GROUP_SEGMENTS | GROUP_CONTROL, &s);
    snprintf(event->text + at, sizeof(event->text) - at,
             "triple fault at cs %04x rip 0x%llx (rsp 0x%llx cr0 0x%llx cr2 0x%llx cr3 0x%llx cr4 0x%llx)",
             s.seg[SEG_CS].sel, (unsigned long long)s.rip, (unsigned long long)s.gpr[RSP],
             (unsigned long long)s.cr0, (unsigned long long)s.cr2, (unsigned long long)s.cr3,
             (unsigned long long)s.cr4);
}

struct pc_event pc_take_event(struct pc *pc)
{
    struct pc_event ev = {.kind = PC_NOTHING};
    unsigned vcpu = 0;

    pthread_mutex_lock(&pc->event_lock);
    if (!pc->event_taken && pc->event.kind != PC_NOTHING) {
        ev = pc->event;
        vcpu = pc->event_vcpu;
        pc->event_taken = true;
    }
    pthread_mutex_unlock(&pc->event_lock);

    if (ev.kind == PC_TRIPLE_FAULT) {
        snprintf(ev.text, sizeof(ev.text), "vCPU %u: ", vcpu);
        vcpu_call(pc->vcpu[vcpu], describe_triple_fault, &ev);
    }
    return ev;
}

void pc_power_button(struct pc *pc)
{
    acpi_pm_power_button(&pc->pm);
}

/* ---- start, stop, power-on ---- */

static void resume(struct pc *pc)
{
    for (unsigned i = 0; i < pc->cfg.cpus; i++)
        vcpu_resume(pc->vcpu[i]);
}

bool pc_start(struct pc *pc, struct err *e)
{
    pc_timers_attach(pc);
    for (unsigned i = 0; i < pc->cfg.cpus; i++)
        if (!vcpu_start(pc->vcpu[i], e))
            return false;
    resume(pc);
    return true;
}

void pc_stop(struct pc *pc)
{
    for (unsigned i = 0; i < pc->cfg.cpus; i++)
        vcpu_ask_pause(pc->vcpu[i]);
    for (unsigned i = 0; i < pc->cfg.cpus; i++)
        vcpu_stop(pc->vcpu[i]);
}

static void reset_vcpu(const struct engine_ops *ops, struct engine_vcpu *ev, void *opaque)
{
    ops->vcpu_reset(ev);
    ops->flush_code(ev);
}

/* Sources of interrupts before the controllers, so that no line stays up behind a controller's reset. */
static void reset_devices(struct pc *pc)
{
    pc_extra_reset(pc);
    fwcfg_reset(&pc->fwcfg);
    serial_console_reset(&pc->com1);
    i8042_reset(&pc->i8042);
    acpi_pm_reset(&pc->pm);
    reset_ctl_reset(&pc->reset);
    pci_host_reset(&pc->pci);
    pit_reset(&pc->pit);
    rtc_reset(&pc->rtc);
    ioapic_reset(&pc->ioapic);
    pic_reset(&pc->pic);
    ferr_reset(&pc->ferr);
}

bool pc_reset(struct pc *pc, struct err *e)
{
    for (unsigned i = 0; i < pc->cfg.cpus; i++)
        vcpu_ask_pause(pc->vcpu[i]);
    for (unsigned i = 0; i < pc->cfg.cpus; i++)
        vcpu_pause(pc->vcpu[i]);
    pc_resident_peak(pc);

    reset_devices(pc);
    for (unsigned i = 0; i < pc->cfg.cpus; i++)
        vcpu_call(pc->vcpu[i], reset_vcpu, NULL);
    mem_zero_ram(pc->mem);
    if (!pc_boot_load(pc, e))
        return false;

    /* Nothing runs that could report: what came after the event that brought us here is void. */
    pthread_mutex_lock(&pc->event_lock);
    pc->event = (struct pc_event){.kind = PC_NOTHING};
    pc->event_taken = false;
    pthread_mutex_unlock(&pc->event_lock);
    resume(pc);
    return true;
}

bool pc_drain_console(struct pc *pc, unsigned timeout_ms)
{
    bool debugcon = !pc->cfg.debugcon || console_drain(pc->cfg.debugcon, timeout_ms);
    return serial_console_drain(&pc->com1, timeout_ms) && debugcon;
}

/* ---- resident memory ---- */

static uint64_t resident_bytes(const struct mem_slot *s)
{
    enum { PAGES = 4096 };
    unsigned char present[PAGES];
    uint64_t n = 0;
    for (uint64_t at = 0; at < s->size; at += PAGES * PAGE_SIZE) {
        uint64_t len = MIN(s->size - at, PAGES * PAGE_SIZE);
        if (mincore(s->hva + at, len, present) != 0)
            break;
        for (uint64_t i = 0; i < len / PAGE_SIZE; i++)
            n += present[i] & 1;
    }
    return n * PAGE_SIZE;
}

uint64_t pc_resident_peak(struct pc *pc)
{
    unsigned count;
    const struct mem_slot *s = mem_slots(pc->mem, &count);
    uint64_t now = 0;
    for (unsigned i = 0; i < count; i++)
        now += resident_bytes(&s[i]);
    return pc->resident_peak = MAX(pc->resident_peak, now);
}
