/* Generated from devices/virtio/features.ts by tools/gen_headers.ts: edit the table, not this file. */
#ifndef GENERATED_VIRTIO_FEATURES_H
#define GENERATED_VIRTIO_FEATURES_H

/* Device types (virtio 1.2 §5) */
#define VIRTIO_ID_NET            1 /* network card */
#define VIRTIO_ID_BLK            2 /* block device */
#define VIRTIO_ID_CONSOLE        3 /* console */
#define VIRTIO_ID_RNG            4 /* entropy source */
#define VIRTIO_ID_BALLOON        5 /* memory ballooning (traditional) */
#define VIRTIO_ID_IOMEM          6 /* ioMemory */
#define VIRTIO_ID_RPMSG          7 /* rpmsg */
#define VIRTIO_ID_SCSI           8 /* SCSI host */
#define VIRTIO_ID_9P             9 /* 9P transport */
#define VIRTIO_ID_MAC80211_WLAN  10 /* mac80211 wlan */
#define VIRTIO_ID_RPROC_SERIAL   11 /* rproc serial */
#define VIRTIO_ID_CAIF           12 /* virtio CAIF */
#define VIRTIO_ID_MEMORY_BALLOON 13 /* memory balloon */
#define VIRTIO_ID_GPU            16 /* GPU device */
#define VIRTIO_ID_CLOCK          17 /* Timer/Clock device */
#define VIRTIO_ID_INPUT          18 /* Input device */
#define VIRTIO_ID_VSOCK          19 /* Socket device */
#define VIRTIO_ID_CRYPTO         20 /* Crypto device */
#define VIRTIO_ID_SIGNAL_DIST    21 /* Signal Distribution Module */
#define VIRTIO_ID_PSTORE         22 /* pstore device */
#define VIRTIO_ID_IOMMU          23 /* IOMMU device */
#define VIRTIO_ID_MEM            24 /* Memory device */
#define VIRTIO_ID_SOUND          25 /* Audio device */
#define VIRTIO_ID_FS             26 /* file system device */
#define VIRTIO_ID_PMEM           27 /* PMEM device */
#define VIRTIO_ID_RPMB           28 /* RPMB device */
#define VIRTIO_ID_MAC80211_HWSIM 29 /* mac80211 hwsim wireless simulation device */
#define VIRTIO_ID_VIDEO_ENCODER  30 /* Video encoder device */
#define VIRTIO_ID_VIDEO_DECODER  31 /* Video decoder device */
#define VIRTIO_ID_SCMI           32 /* SCMI device */
#define VIRTIO_ID_NITRO_SEC_MOD  33 /* NitroSecureModule */
#define VIRTIO_ID_I2C            34 /* I2C adapter */
#define VIRTIO_ID_WATCHDOG       35 /* Watchdog */
#define VIRTIO_ID_CAN            36 /* CAN device */
#define VIRTIO_ID_PARAM_SERV     38 /* Parameter Server */
#define VIRTIO_ID_AUDIO_POLICY   39 /* Audio policy device */
#define VIRTIO_ID_BT             40 /* Bluetooth device */
#define VIRTIO_ID_GPIO           41 /* GPIO device */
#define VIRTIO_ID_RDMA           42 /* RDMA device */
#define VIRTIO_ID_CAMERA         43 /* Camera device */
#define VIRTIO_ID_ISM            44 /* ISM device */
#define VIRTIO_ID_SPI            45 /* SPI controller */
#define VIRTIO_ID_TEE            46 /* TEE device */
#define VIRTIO_ID_CPU_BALLOON    47 /* CPU balloon device */
#define VIRTIO_ID_MEDIA          48 /* Media device */
#define VIRTIO_ID_USB            49 /* USB controller */
#define VIRTIO_ID_DUMMY          63 /* Ringside test device */

/* Reserved feature bits (virtio 1.2 §6) */
#define VIRTIO_F_NOTIFY_ON_EMPTY   24 /* legacy, §6.3 */
#define VIRTIO_F_ANY_LAYOUT        27 /* legacy, §6.3 */
#define VIRTIO_F_INDIRECT_DESC     28 /* 1.0, §6 */
#define VIRTIO_F_EVENT_IDX         29 /* 1.0, §6 */
#define VIRTIO_F_BAD_FEATURE       30 /* legacy, §6.3 */
#define VIRTIO_F_VERSION_1         32 /* 1.0, §6 */
#define VIRTIO_F_ACCESS_PLATFORM   33 /* 1.1, §6 */
#define VIRTIO_F_RING_PACKED       34 /* 1.1, §6 */
#define VIRTIO_F_IN_ORDER          35 /* 1.1, §6 */
#define VIRTIO_F_ORDER_PLATFORM    36 /* 1.1, §6 */
#define VIRTIO_F_SR_IOV            37 /* 1.1, §6 */
#define VIRTIO_F_NOTIFICATION_DATA 38 /* 1.1, §6 */
#define VIRTIO_F_NOTIF_CONFIG_DATA 39 /* 1.2, §6 */
#define VIRTIO_F_RING_RESET        40 /* 1.2, §6 */
#define VIRTIO_F_ADMIN_VQ          41 /* 1.3, §6 */
#define VIRTIO_F_SUSPEND           43 /* 1.4, §6 */

/* network card */
#define VIRTIO_NET_F_CSUM                      0 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_GUEST_CSUM                1 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_CTRL_GUEST_OFFLOADS       2 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_MTU                       3 /* 1.1, §5.1.3 */
#define VIRTIO_NET_F_MAC                       5 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_GSO                       6 /* legacy, §5.1.3.2 */
#define VIRTIO_NET_F_GUEST_TSO4                7 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_GUEST_TSO6                8 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_GUEST_ECN                 9 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_GUEST_UFO                 10 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_HOST_TSO4                 11 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_HOST_TSO6                 12 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_HOST_ECN                  13 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_HOST_UFO                  14 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_MRG_RXBUF                 15 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_STATUS                    16 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_CTRL_VQ                   17 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_CTRL_RX                   18 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_CTRL_VLAN                 19 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_CTRL_RX_EXTRA             20 /* 1.3, §5.1.3 */
#define VIRTIO_NET_F_GUEST_ANNOUNCE            21 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_MQ                        22 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_CTRL_MAC_ADDR             23 /* 1.0, §5.1.3 */
#define VIRTIO_NET_F_GUEST_RSC4                41 /* 1.1, §5.1.3.2 */
#define VIRTIO_NET_F_GUEST_RSC6                42 /* 1.1, §5.1.3.2 */
#define VIRTIO_NET_F_DEVICE_STATS              50 /* 1.4, §5.1.3 */
#define VIRTIO_NET_F_HASH_TUNNEL               51 /* 1.3, §5.1.3 */
#define VIRTIO_NET_F_VQ_NOTF_COAL              52 /* 1.3, §5.1.3 */
#define VIRTIO_NET_F_NOTF_COAL                 53 /* 1.3, §5.1.3 */
#define VIRTIO_NET_F_GUEST_USO4                54 /* 1.3, §5.1.3 */
#define VIRTIO_NET_F_GUEST_USO6                55 /* 1.3, §5.1.3 */
#define VIRTIO_NET_F_HOST_USO                  56 /* 1.2, §5.1.3 */
#define VIRTIO_NET_F_HASH_REPORT               57 /* 1.2, §5.1.3 */
#define VIRTIO_NET_F_GUEST_HDRLEN              59 /* 1.2, §5.1.3 */
#define VIRTIO_NET_F_RSS                       60 /* 1.2, §5.1.3 */
#define VIRTIO_NET_F_RSC_EXT                   61 /* 1.1, §5.1.3 */
#define VIRTIO_NET_F_STANDBY                   62 /* 1.1, §5.1.3 */
#define VIRTIO_NET_F_SPEED_DUPLEX              63 /* 1.2, §5.1.3 */
#define VIRTIO_NET_F_RSS_CONTEXT               64 /* 1.4, §5.1.3 */
#define VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO      65 /* 1.4, §5.1.3 */
#define VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_CSUM 66 /* 1.4, §5.1.3 */
#define VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO       67 /* 1.4, §5.1.3 */
#define VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM  68 /* 1.4, §5.1.3 */
#define VIRTIO_NET_F_OUT_NET_HEADER            69 /* 1.4, §5.1.3 */
#define VIRTIO_NET_F_IPSEC                     70 /* 1.4, §5.1.3 */

/* block device */
#define VIRTIO_BLK_F_BARRIER      0 /* legacy, §5.2.3.1 */
#define VIRTIO_BLK_F_SIZE_MAX     1 /* 1.0, §5.2.3 */
#define VIRTIO_BLK_F_SEG_MAX      2 /* 1.0, §5.2.3 */
#define VIRTIO_BLK_F_GEOMETRY     4 /* 1.0, §5.2.3 */
#define VIRTIO_BLK_F_RO           5 /* 1.0, §5.2.3 */
#define VIRTIO_BLK_F_BLK_SIZE     6 /* 1.0, §5.2.3 */
#define VIRTIO_BLK_F_SCSI         7 /* legacy, §5.2.3.1 */
#define VIRTIO_BLK_F_FLUSH        9 /* 1.0, §5.2.3 */
#define VIRTIO_BLK_F_TOPOLOGY     10 /* 1.0, §5.2.3 */
#define VIRTIO_BLK_F_CONFIG_WCE   11 /* 1.0, §5.2.3 */
#define VIRTIO_BLK_F_MQ           12 /* 1.2, §5.2.3 */
#define VIRTIO_BLK_F_DISCARD      13 /* 1.1, §5.2.3 */
#define VIRTIO_BLK_F_WRITE_ZEROES 14 /* 1.1, §5.2.3 */
#define VIRTIO_BLK_F_LIFETIME     15 /* 1.2, §5.2.3 */
#define VIRTIO_BLK_F_SECURE_ERASE 16 /* 1.2, §5.2.3 */
#define VIRTIO_BLK_F_ZONED        17 /* 1.3, §5.2.3 */

/* console */
#define VIRTIO_CONSOLE_F_SIZE        0 /* 1.0, §5.3.3 */
#define VIRTIO_CONSOLE_F_MULTIPORT   1 /* 1.0, §5.3.3 */
#define VIRTIO_CONSOLE_F_EMERG_WRITE 2 /* 1.0, §5.3.3 */

/* memory ballooning (traditional) */
#define VIRTIO_BALLOON_F_MUST_TELL_HOST 0 /* 1.0, §5.5.3 */
#define VIRTIO_BALLOON_F_STATS_VQ       1 /* 1.0, §5.5.3 */
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM 2 /* 1.0, §5.5.3 */
#define VIRTIO_BALLOON_F_FREE_PAGE_HINT 3 /* 1.2, §5.5.3 */
#define VIRTIO_BALLOON_F_PAGE_POISON    4 /* 1.2, §5.5.3 */
#define VIRTIO_BALLOON_F_PAGE_REPORTING 5 /* 1.2, §5.5.3 */

/* SCSI host */
#define VIRTIO_SCSI_F_INOUT   0 /* 1.0, §5.6.3 */
#define VIRTIO_SCSI_F_HOTPLUG 1 /* 1.0, §5.6.3 */
#define VIRTIO_SCSI_F_CHANGE  2 /* 1.0, §5.6.3 */
#define VIRTIO_SCSI_F_T10_PI  3 /* 1.0, §5.6.3 */

/* GPU device */
#define VIRTIO_GPU_F_VIRGL          0 /* 1.1, §5.7.3 */
#define VIRTIO_GPU_F_EDID           1 /* 1.1, §5.7.3 */
#define VIRTIO_GPU_F_RESOURCE_UUID  2 /* 1.2, §5.7.3 */
#define VIRTIO_GPU_F_RESOURCE_BLOB  3 /* 1.2, §5.7.3 */
#define VIRTIO_GPU_F_CONTEXT_INIT   4 /* 1.2, §5.7.3 */
#define VIRTIO_GPU_F_BLOB_ALIGNMENT 5 /* 1.4, §5.7.3 */

/* Socket device */
#define VIRTIO_VSOCK_F_STREAM            0 /* 1.2, §5.10.3 */
#define VIRTIO_VSOCK_F_SEQPACKET         1 /* 1.2, §5.10.3 */
#define VIRTIO_VSOCK_F_NO_IMPLIED_STREAM 2 /* 1.3, §5.10.3 */

/* Crypto device */
#define VIRTIO_CRYPTO_F_REVISION_1            0 /* 1.1, §5.9.3 */
#define VIRTIO_CRYPTO_F_CIPHER_STATELESS_MODE 1 /* 1.1, §5.9.3 */
#define VIRTIO_CRYPTO_F_HASH_STATELESS_MODE   2 /* 1.1, §5.9.3 */
#define VIRTIO_CRYPTO_F_MAC_STATELESS_MODE    3 /* 1.1, §5.9.3 */
#define VIRTIO_CRYPTO_F_AEAD_STATELESS_MODE   4 /* 1.1, §5.9.3 */

/* IOMMU device */
#define VIRTIO_IOMMU_F_INPUT_RANGE   0 /* 1.2, §5.13.3 */
#define VIRTIO_IOMMU_F_DOMAIN_RANGE  1 /* 1.2, §5.13.3 */
#define VIRTIO_IOMMU_F_MAP_UNMAP     2 /* 1.2, §5.13.3 */
#define VIRTIO_IOMMU_F_BYPASS        3 /* 1.2, §5.13.3 */
#define VIRTIO_IOMMU_F_PROBE         4 /* 1.2, §5.13.3 */
#define VIRTIO_IOMMU_F_MMIO          5 /* 1.2, §5.13.3 */
#define VIRTIO_IOMMU_F_BYPASS_CONFIG 6 /* 1.2, §5.13.3 */

/* Memory device */
#define VIRTIO_MEM_F_ACPI_PXM               0 /* 1.2, §5.15.3 */
#define VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE 1 /* 1.2, §5.15.3 */
#define VIRTIO_MEM_F_PERSISTENT_SUSPEND     2 /* 1.4, §5.15.3 */

/* Audio device */
#define VIRTIO_SND_F_CTLS 0 /* 1.3, §5.14.3 */

/* file system device */
#define VIRTIO_FS_F_NOTIFICATION 0 /* 1.2, §5.11.3 */

/* PMEM device */
#define VIRTIO_PMEM_F_SHMEM_REGION 0 /* 1.2, §5.19.3 */

/* SCMI device */
#define VIRTIO_SCMI_F_P2A_CHANNELS  0 /* 1.2, §5.17.3 */
#define VIRTIO_SCMI_F_SHARED_MEMORY 1 /* 1.2, §5.17.3 */

/* I2C adapter */
#define VIRTIO_I2C_F_ZERO_LENGTH_REQUEST 0 /* 1.2, §5.16.3 */

/* GPIO device */
#define VIRTIO_GPIO_F_IRQ 0 /* 1.2, §5.18.3 */

/* Ringside test device */
#define DUMMY_F_LIMIT 0 /* ringside, dummy.ts */

#endif
