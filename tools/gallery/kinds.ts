/**
 * The mistakes that driver authors ask about in public, and what of the gallery is about each: so that who has a symptom
 * finds an image. Those of network drivers are left out, as there is no network device.
 */

/** A kind of mistake. */
export interface Kind {
  readonly what: string;
  /** Images of the gallery. */
  readonly images: readonly string[];
}

const kind = (what: string, images: string): Kind => ({ what, images: images.split(" ") });

/** Every kind. */
export const kinds: readonly Kind[] = [
  kind(
    "A modern driver on a legacy device, or the other way round",
    "legacy_driver_modern_device modern_driver_legacy_device",
  ),
  kind(
    "Legacy queue address in bytes, without page size or alignment",
    "legacy_byte_address legacy_page_size_missing legacy_align_missing",
  ),
  kind(
    "Steps of Status at once, out of order, cleared, without a reset",
    "status_two_at_once status_no_acknowledge status_bits_cleared status_no_reset status_undefined_bit",
  ),
  kind("FEATURES_OK not set, or not read again", "features_ok_missing features_ok_not_read"),
  kind("FEATURES_OK on a legacy device", "features_ok_legacy"),
  kind("VERSION_1 not accepted", "features_no_version_1"),
  kind(
    "Words of features not selected",
    "features_device_not_selected features_driver_not_selected features_one_word",
  ),
  kind(
    "Features accepted that are not offered, or that there is no code for",
    "features_not_offered features_without_code features_order_ignored stall_used_event_stale stall_packed_event_stale",
  ),
  kind(
    "Notified too early, too late, or the wrong queue",
    "notify_before_driver_ok notify_mask notify_after_reset notify_data_missing queue_not_ready",
  ),
  kind(
    "Queue size 0, too large, no power of two; changed in use",
    "queue_size_missing queue_too_large queue_size_not_power_of_two queue_max_not_read queue_changed_in_use",
  ),
  kind(
    "Rings misaligned, at a wrong address, on each other",
    "queue_misaligned queue_address_missing queue_page_number queue_address_halves queue_parts_overlap",
  ),
  kind(
    "Descriptors: wrong head, loop, length, address or direction",
    "ring_entry_is_offset chain_loop chain_next_is_offset chain_next_never_ends descriptor_offset_address " +
      "descriptor_virtual_address descriptor_length_negative descriptor_status_readable descriptor_directions_swapped " +
      "packed_offset_address packed_directions_swapped",
  ),
  kind(
    "Indirect tables not agreed on, nested, chained, of a wrong length",
    "indirect_not_accepted indirect_nested indirect_with_next indirect_length_in_entries packed_indirect_length",
  ),
  kind("Available idx masked, or by another step", "ring_idx_masked ring_idx_by_descriptors"),
  kind(
    "The order of entry, idx and notification",
    "ring_entry_after_idx barrier_before_idx barrier_before_suppression packed_list_not_available",
  ),
  kind(
    "Used ring read early, with no barrier, at a wrong place",
    "used_read_early barrier_before_used stall_packed_used_wrap_counter stall_packed_handler_ignores_queue",
  ),
  kind(
    "Descriptors and buffers used again, or touched, while the device has them",
    "ring_free_list_forgotten buffer_read_early buffer_written_in_flight packed_id_in_flight used_ring_cleared",
  ),
  kind(
    "Interrupts acknowledged late, never, or with other bits",
    "interrupt_acknowledged_late interrupt_not_acknowledged interrupt_ack_all interrupt_status_assumed",
  ),
  kind(
    "PLIC: priority, enable bit, context, threshold, completion; mie and mstatus of the hart",
    "stall_plic_priority stall_plic_not_enabled stall_plic_other_context stall_plic_threshold stall_plic_not_completed " +
      "stall_plic_other_completed stall_mie stall_mstatus",
  ),
  kind(
    "used_event left behind, interrupts or notifications not wanted",
    "stall_used_event_stale stall_no_interrupts_wanted stall_packed_no_interrupts_wanted",
  ),
  kind(
    "Configuration fields: width, torn reads, without their feature",
    "config_bytes config_torn config_without_feature config_read_only config_undefined",
  ),
  kind(
    "A reset or a stop that is not waited for",
    "status_reset_not_awaited queue_stop_not_read queue_stopped_in_flight",
  ),
  kind(
    "An empty slot taken for an error or for a device; a fixed slot or interrupt",
    "probe_empty_slot_is_error probe_empty_slot probe_first_slot stall_interrupt_assumed",
  ),
  kind(
    "Block requests: header, status, sector, length, FLUSH, read-only",
    "blk_header_short blk_status_missing blk_status_not_read blk_sector_in_bytes blk_odd_length blk_flush_not_accepted " +
      "blk_write_read_only",
  ),
  kind("Console: input buffers that the device cannot write", "console_input_readable"),
  kind("A driver that goes on after FAILED or a refusal", "status_after_failed features_refusal_ignored"),
  kind(
    "Waiting for what cannot happen any more",
    "stall_no_notification stall_idx_not_published stall_no_driver_ok stall_handler_ignores_queue " +
      "stall_packed_wrap_counter",
  ),
];
