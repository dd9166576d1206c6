--- Decides in which buffers Ondol suggests, and to which repository each buffer belongs.
local config = require('ondol.config')
local api = vim.api
local M = {}

local enabled = true
local snooze ---@type uv.uv_timer_t|nil
local by_filetype = {} ---@type table<string, boolean> set with :Ondol, until Neovim ends

--- The repository of a buffer, or nil.
---@param buffer integer
---@return string|nil
function M.root_of(buffer)
  local name = api.nvim_buf_get_name(buffer)
  local root = name ~= '' and vim.fs.root(name, config.options.root_markers) or nil
  if not root then
    return nil
  end
  -- A home folder under version control is not one code base, so it is not indexed.
  local real = vim.fs.normalize(vim.fn.resolve(root))
  if real == '/' or real == vim.fs.normalize(vim.fn.resolve(vim.fn.expand('~'))) then
    return nil
  end
  return vim.fs.normalize(root)
end

--- Whether suggestions are on for a filetype. :Ondol takes precedence over the options, a filetype over '*'.
---@param filetype string
---@return boolean
local function filetype_on(filetype)
  local options = config.options.filetypes
  local choice = by_filetype[filetype]
  if choice == nil then
    choice = options[filetype]
  end
  if choice == nil then
    choice = options['*']
  end
  return choice ~= false
end

--- Whether suggestions are on in a buffer, and if not, the reason.
---@param buffer integer
---@return boolean
---@return string|nil reason
function M.wanted(buffer)
  if not enabled then
    return false, 'switched off (:Ondol enable)'
  elseif snooze then
    return false, 'snoozed (:Ondol snooze ends it)'
  end
  local own = vim.b[buffer].ondol_enabled
  if own == false then
    return false, 'switched off in this buffer (:Ondol enable buffer)'
  end
  local filetype = vim.bo[buffer].filetype
  if own ~= true and not filetype_on(filetype) then
    return false, ('switched off for filetype %q (:Ondol enable filetype)'):format(filetype)
  end
  return true
end

--- Whether Ondol supports a buffer, and if not, the reason.
---@param buffer integer
---@return boolean
---@return string|nil reason
function M.eligible(buffer)
  local name, options = api.nvim_buf_get_name(buffer), vim.bo[buffer]
  if options.buftype ~= '' then
    return false, 'it is not a file'
  elseif name == '' then
    return false, 'it has no name yet (save it first)'
  elseif name:find('^%a[%w+.-]+://') then
    return false, 'it is not on this machine'
  elseif options.readonly or not options.modifiable then
    return false, 'it is read-only'
  elseif options.binary then
    return false, 'it is binary'
  end
  return true
end

--- Switches suggestions on or off.
---@param which 'all'|'buffer'|'filetype'
---@param on boolean|nil nil toggles
---@param filetype string|nil for the scope 'filetype'; default: that of the current buffer
---@return boolean on
---@return string where
function M.switch(which, on, filetype)
  local buffer = api.nvim_get_current_buf()
  local what
  if which == 'all' then
    if on == nil then
      on = not enabled
    end
    enabled, what = on, 'everywhere'
  elseif which == 'buffer' then
    if on == nil then
      on = not M.wanted(buffer)
    end
    vim.b[buffer].ondol_enabled, what = on, 'in this buffer'
  else
    filetype = filetype or vim.bo[buffer].filetype
    if on == nil then
      on = not filetype_on(filetype)
    end
    by_filetype[filetype], what = on, ('for filetype %q'):format(filetype)
    -- The latest command takes precedence, also over earlier commands for single buffers.
    for _, other in ipairs(api.nvim_list_bufs()) do
      if vim.bo[other].filetype == filetype then
        vim.b[other].ondol_enabled = nil
      end
    end
  end
  return on, what
end

--- Pauses suggestions, or ends the pause.
---@param minutes number
---@param done function called when the pause ends by itself
---@return boolean whether suggestions pause now
function M.snooze(minutes, done)
  if snooze then
    snooze:stop()
    snooze = nil
    return false
  end
  snooze = vim.defer_fn(function()
    snooze = nil
    done()
  end, math.floor(minutes * 60000))
  return true
end

--- Whether suggestions are on in general.
---@return boolean
function M.enabled()
  return enabled
end

--- Switches suggestions on or off in general.
---@param on boolean
function M.enable(on)
  enabled = on
end

return M
